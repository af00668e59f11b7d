//! Medians and spread.

/// Samples of one figure.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Median, and the quartiles in brackets.
    pub fn show(&self, digits: usize) -> String {
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| self.quantile(share));
        format!("{middle:.digits$} ({low:.digits$}-{high:.digits$})")
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = share * (sorted.len().max(1) - 1) as f64;
        sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
    }
}
