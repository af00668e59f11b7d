//! Parses a shared file into sections and properties, without interpreting their names.
//!
//! Source: "Format of the config file" in <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>, and the
//! test cases of the SDKs where that page leaves a question open. Example:
//!
//! ```text
//! [services dev]  # a comment        section, header "services dev"
//! sts =                              property sts, an empty value, so a block follows
//!   endpoint_url = http://sts;x      sub-property, value "http://sts;x": a comment needs a blank before it
//!   # skipped                        comment, as in the AWS CLI
//! region = eu-west-1 ; a comment     property region, value "eu-west-1"
//! ```

use zeroize::Zeroizing;

/// White space around names and values. Source: the test cases of the SDKs for the parser.
pub(super) const BLANKS: [char; 2] = [' ', '\t'];

/// A section: a `[header]` line and the properties below it.
#[derive(Debug)]
pub(super) struct ParsedSection<'a> {
    /// The text between the brackets, trimmed.
    pub(super) header: &'a str,
    pub(super) line: usize,
    pub(super) properties: Vec<ParsedProperty>,
    /// Its first invalid line. The lines after it may have been misread.
    pub(super) fault: Option<SyntaxError>,
}

/// A property: a `name = value` line and its continuation lines.
pub(super) struct ParsedProperty {
    /// In lower case.
    pub(super) name: String,
    /// Continuation lines are separated by line feeds, so a block of sub-properties begins with one.
    pub(super) value: Zeroizing<String>,
    pub(super) line: usize,
}

/// Without the value, which may be a secret key.
impl std::fmt::Debug for ParsedProperty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = .. (line {})", self.name, self.line)
    }
}

/// An invalid line, by number. Its text may hold a secret key and is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct Parsed<'a> {
    pub(super) sections: Vec<ParsedSection<'a>>,
    /// The first invalid line before any section.
    pub(super) fault: Option<SyntaxError>,
}

/// Goes on after an invalid line, which concerns its section only.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_blank_or_comment(line) {
            continue;
        }
        if let Err(problem) = parse_line(&mut parsed.sections, line, number) {
            let fault = parsed
                .sections
                .last_mut()
                .map_or(&mut parsed.fault, |section| &mut section.fault);
            fault.get_or_insert(SyntaxError {
                line: number,
                problem,
            });
        }
    }
    parsed
}

fn parse_line<'a>(
    sections: &mut Vec<ParsedSection<'a>>,
    line: &'a [u8],
    number: usize,
) -> Result<(), &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8");
    if line.starts_with(b"[") {
        // A section with an invalid header also ends the one before it.
        let (header, result) = text.map_or_else(|problem| ("", Err(problem)), parse_header);
        sections.push(ParsedSection {
            header,
            line: number,
            properties: vec![],
            fault: None,
        });
        return result;
    }
    let line = text?;
    let section = sections
        .last_mut()
        .ok_or("a [section] must come before the first property")?;
    if line.starts_with(BLANKS) {
        return continue_property(section, line);
    }
    let (name, value) = parse_property(line)?;
    section.properties.push(ParsedProperty {
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

/// An indented comment would be part of the value before it, as the specification reads it. The AWS CLI skips it.
fn is_blank_or_comment(line: &[u8]) -> bool {
    let first = line.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    matches!(first, None | Some(b'#' | b';'))
}

/// The text between the brackets, also of an unclosed header.
fn parse_header(line: &str) -> (&str, Result<(), &'static str>) {
    let line = line.strip_prefix('[').unwrap_or(line);
    let before_comment = without_header_comment(line).trim_matches(BLANKS);
    let (header, result) = if let Some(header) = before_comment.strip_suffix(']') {
        (header, Ok(()))
    } else if !before_comment.contains(']')
        && let Some((header, _)) = line.rsplit_once(']')
    {
        // The mark of a comment within the brackets belongs to the name: `aws configure` writes `[team #1]`.
        (header, Ok(()))
    } else {
        (before_comment, Err("a section must end with ']'"))
    };
    (header.trim_matches(BLANKS), result)
}

/// A comment may follow the bracket without a blank before it: `[default]# x`. A quoted name may hold the marks of
/// comments: `[profile 'a;b']`. A quote within a name is not an opening one: `[profile a'b] # it's`.
fn without_header_comment(line: &str) -> &str {
    let mut quoted_until = 0;
    for (at, mark) in line.match_indices(['#', ';', '"', '\'']) {
        if at < quoted_until {
            continue;
        }
        let before = line.split_at(at).0;
        let after = line.split_at(at + mark.len()).1;
        if matches!(mark, "#" | ";") {
            return before;
        }
        if (before.is_empty() || before.ends_with(BLANKS))
            && let Some(length) = after.find(mark)
        {
            quoted_until = at + mark.len() + length + mark.len();
        }
    }
    line
}

fn parse_property(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = without_comment(line)
        .split_once('=')
        .ok_or("a property must have an '='")?;
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

/// Adds an indented line to the last property. A comment at its end belongs to the value, unlike in a property line.
///
/// A property without a value begins a block, whose lines must be properties, too:
///
/// ```text
/// a = x        b =
///   y            c = 1
/// a: "x\ny"    b: "\nc = 1", sub-property c
/// ```
fn continue_property(section: &mut ParsedSection<'_>, line: &str) -> Result<(), &'static str> {
    let property = section
        .properties
        .last_mut()
        .ok_or("an indented line must continue a property of its section")?;
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
        // A String that grows by itself frees its old memory without wiping it, and the value may be a secret key.
        // Doubling keeps the time linear.
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
