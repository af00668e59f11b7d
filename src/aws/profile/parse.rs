//! Parses the text of a shared file into sections and properties, without interpreting their names.

use zeroize::Zeroizing;

/// White space around names and values. Source: the test cases of the SDKs for the parser.
const BLANKS: [char; 2] = [' ', '\t'];

/// A section: a `[header]` line and the properties below it.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// The text between the brackets, trimmed.
    pub(super) header: &'a str,
    pub(super) line: usize,
    pub(super) properties: Vec<Property>,
}

/// A property: a `name = value` line and its continuation lines.
pub(super) struct Property {
    /// In lower case.
    pub(super) name: String,
    /// Continuation lines are separated by line feeds, so a block of sub-properties begins with one.
    pub(super) value: Zeroizing<String>,
    pub(super) line: usize,
}

/// Without the value, which may be a secret key.
impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = .. (line {})", self.name, self.line)
    }
}

/// The first invalid line, by number. Its text may hold a secret key and is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

pub(super) fn parse(text: &str) -> Result<Vec<Section<'_>>, SyntaxError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        if !is_blank_or_comment(line) {
            parse_line(&mut sections, line, number)
                .map_err(|problem| SyntaxError { line: number, problem })?;
        }
    }
    Ok(sections)
}

fn parse_line<'a>(sections: &mut Vec<Section<'a>>, line: &'a str, number: usize) -> Result<(), &'static str> {
    if line.starts_with('[') {
        sections.push(Section { header: parse_header(line)?, line: number, properties: vec![] });
        return Ok(());
    }
    let section = sections.last_mut().ok_or("a [section] must come before the first property")?;
    if line.starts_with(BLANKS) {
        return continue_property(section, line);
    }
    let (name, value) = parse_property(line)?;
    section.properties.push(Property {
        name: name.to_ascii_lowercase(),
        value: Zeroizing::new(value.to_owned()),
        line: number,
    });
    Ok(())
}

/// The names, in lower case, and values of a block of sub-properties. Empty for any other value.
pub(super) fn sub_properties(value: &str) -> impl Iterator<Item = (String, &str)> {
    let block = if value.starts_with('\n') { value } else { "" };
    block.lines().filter_map(|line| {
        let (name, value) = parse_property(line).ok()?;
        Some((name.to_ascii_lowercase(), value))
    })
}

fn is_blank_or_comment(line: &str) -> bool {
    line.starts_with(['#', ';']) || line.trim_matches(BLANKS).is_empty()
}

/// A comment may follow the bracket without a blank between them.
fn parse_header(line: &str) -> Result<&str, &'static str> {
    let line = line.split(['#', ';']).next().unwrap_or(line).trim_matches(BLANKS);
    let inner = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.map(|header| header.trim_matches(BLANKS)).ok_or("a section must end with ']'")
}

fn parse_property(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = without_comment(line).split_once('=').ok_or("a property must have an '='")?;
    let name = name.trim_matches(BLANKS);
    if name.is_empty() {
        return Err("a property must have a name before its '='");
    }
    Ok((name, value.trim_matches(BLANKS)))
}

/// A comment in a property follows a blank, because values may contain `#` and `;`.
fn without_comment(line: &str) -> &str {
    line.match_indices(['#', ';'])
        .map(|(position, _)| line.split_at(position).0)
        .find(|before| before.ends_with(BLANKS))
        .unwrap_or(line)
}

/// Comments are part of a continuation line.
fn continue_property(section: &mut Section<'_>, line: &str) -> Result<(), &'static str> {
    let property =
        section.properties.last_mut().ok_or("an indented line must continue a property of its section")?;
    let line = line.trim_matches(BLANKS);
    let is_sub_property = property.value.is_empty() || property.value.starts_with('\n');
    if is_sub_property {
        parse_property(line).map_err(|_| "a sub-property must have a name and an '='")?;
    }
    append_line(&mut property.value, line);
    Ok(())
}

fn append_line(value: &mut Zeroizing<String>, line: &str) {
    let length = value.len() + 1 + line.len();
    if length > value.capacity() {
        // A String that grows by itself frees its old memory without wiping it. Doubling keeps the time linear.
        let mut grown = Zeroizing::new(String::with_capacity(length.max(2 * value.capacity())));
        grown.push_str(value);
        *value = grown;
    }
    value.push('\n');
    value.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_rarely_copied_while_it_grows() {
        let mut value = Zeroizing::new("x".to_owned());
        let mut copies = 0;
        for _ in 0..300_000 {
            let capacity = value.capacity();
            append_line(&mut value, "y");
            copies += u32::from(value.capacity() != capacity);
        }
        assert_eq!(value.len(), 600_001);
        assert!(copies <= 20, "{copies} copies");
    }
}
