//! From the text of a shared file to sections with properties. Knows no file and no meaning of a name.

use zeroize::Zeroizing;

/// The characters that lines are trimmed of. Source: the SDKs' parser, which knows no other blanks.
const BLANKS: [char; 2] = [' ', '\t'];

/// A `[header]` and the properties below it.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// What stands between the brackets, trimmed.
    pub(super) header: &'a str,
    pub(super) line: usize,
    pub(super) properties: Vec<Property>,
}

/// A `name = value` line and the lines that continue it.
pub(super) struct Property {
    /// In lower case.
    pub(super) name: String,
    /// Each continuation stands on a line of its own; a block of sub-properties begins with a line break.
    pub(super) value: Zeroizing<String>,
    pub(super) line: usize,
}

/// The value may be a key.
impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = .. (line {})", self.name, self.line)
    }
}

/// The first line that cannot be read. Shows nothing of the line, which may hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

pub(super) fn parse(text: &str) -> Result<Vec<Section<'_>>, SyntaxError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let failed = |problem| SyntaxError { line: number, problem };
        if is_blank_or_comment(line) {
            continue;
        }
        if line.starts_with('[') {
            sections.push(Section {
                header: parse_header(line).map_err(failed)?,
                line: number,
                properties: vec![],
            });
            continue;
        }
        let section =
            sections.last_mut().ok_or_else(|| failed("a [section] must come before the first property"))?;
        if line.starts_with(BLANKS) {
            continue_property(section, line).map_err(failed)?;
        } else {
            let (name, value) = parse_property(line).map_err(failed)?;
            let property = Property {
                name: name.to_ascii_lowercase(),
                value: Zeroizing::new(value.to_owned()),
                line: number,
            };
            section.properties.push(property);
        }
    }
    Ok(sections)
}

/// The pairs in a block of sub-properties; empty for a value that is none.
pub(super) fn sub_properties(value: &str) -> impl Iterator<Item = (String, &str)> {
    let lines = if value.starts_with('\n') { value } else { "" }.lines();
    lines.filter_map(|line| parse_property(line).ok()).map(|(name, value)| (name.to_ascii_lowercase(), value))
}

fn is_blank_or_comment(line: &str) -> bool {
    line.starts_with(['#', ';']) || line.trim_matches(BLANKS).is_empty()
}

/// A comment after the bracket needs no blank before it.
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

/// A comment in a property needs a blank before it, as values hold `#` and `;`.
fn without_comment(line: &str) -> &str {
    let is_mark = |(at, letter): (usize, char)| {
        matches!(letter, '#' | ';') && line.get(..at).is_some_and(|before| before.ends_with(BLANKS))
    };
    let end = line.char_indices().find(|mark| is_mark(*mark)).map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or(line)
}

/// Comments are part of a continuation.
fn continue_property(section: &mut Section<'_>, line: &str) -> Result<(), &'static str> {
    let property =
        section.properties.last_mut().ok_or("an indented line must continue a property of its section")?;
    let line = line.trim_matches(BLANKS);
    let is_sub_property = property.value.is_empty() || property.value.starts_with('\n');
    if is_sub_property {
        parse_property(line).map_err(|_| "a sub-property must have a name and an '='")?;
    }
    // Reserved first, so that a push never leaves a copy of the value behind.
    let mut value = Zeroizing::new(String::with_capacity(property.value.len() + line.len() + 1));
    value.push_str(&property.value);
    value.push('\n');
    value.push_str(line);
    property.value = value;
    Ok(())
}
