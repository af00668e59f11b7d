//! Reads the text of elements from an XML response of STS.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Maximum depth of nested elements. Responses of STS have five.
const MAX_DEPTH: usize = 32;

/// The elements with text, in document order.
pub(crate) struct Document(Vec<Leaf>);

struct Leaf {
    /// The names from the root to this element, each after a slash, without namespace prefixes.
    path: String,
    /// Trimmed; not empty.
    text: String,
}

impl Document {
    /// Returns `None` for malformed XML, a document without text, a document type declaration, and entities other than
    /// the five of XML.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(bytes).ok()?);
        let mut leaves = Vec::new();
        let mut path = String::new();
        let mut depth = 0_usize;
        let mut text = String::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => {
                    depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
                    path.push('/');
                    path.push_str(element.local_name().as_ref());
                    text.clear();
                }
                Event::End(_) => {
                    depth = depth.checked_sub(1)?;
                    let text = std::mem::take(&mut text);
                    if !text.trim().is_empty() {
                        leaves.push(Leaf { path: path.clone(), text: text.trim().to_owned() });
                    }
                    path.truncate(path.rfind('/')?);
                }
                Event::Text(piece) => text.push_str(&piece.xml10_content()),
                Event::CData(piece) => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(name) => match name.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_xml_entity(&name.xml10_content())?),
                },
                Event::DocType(_) => return None,
                Event::Eof => return (depth == 0 && !leaves.is_empty()).then_some(Self(leaves)),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// Returns the text of the first element with this name, or with this parent and name: `Credentials/AccessKeyId`.
    pub(crate) fn text(&self, path_end: &str) -> Option<&str> {
        self.0.iter().find(|leaf| leaf.path_ends_with(path_end)).map(|leaf| leaf.text.as_str())
    }
}

impl Leaf {
    fn path_ends_with(&self, path_end: &str) -> bool {
        self.path.strip_suffix(path_end).is_some_and(|before| before.ends_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn text(xml: &str, path_end: &str) -> Option<String> {
        Document::parse(xml.as_bytes())?.text(path_end).map(str::to_owned)
    }

    #[test]
    fn text_is_found_by_the_end_of_its_path() {
        let xml =
            "<?xml version='1.0'?><r xmlns='u:v'><!-- c --><a><k> 1\n</k></a><n:b><k>2</k></n:b><e/></r>";
        assert_eq!(text(xml, "a/k").as_deref(), Some("1"));
        assert_eq!(text(xml, "b/k").as_deref(), Some("2"));
        assert_eq!(text(xml, "k").as_deref(), Some("1"));
        assert_eq!((text(xml, "e"), text(xml, "r"), text(xml, "/k")), (None, None, None));
    }

    #[test]
    fn references_and_cdata_are_resolved() {
        let xml = "<r><k>a&lt;&#98;&#x63;&amp;<![CDATA[<d>]]>+/=</k></r>";
        assert_eq!(text(xml, "k").as_deref(), Some("a<bc&<d>+/="));
    }

    #[test]
    fn malformed_xml_and_document_types_are_rejected() {
        for xml in [
            "",
            "text",
            "<r>",
            "<r><k>1</r></k>",
            "<r><k>1</k>",
            "<r>&unknown;</r>",
            "<r>&#xd800;</r>",
            "<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>",
            "<!DOCTYPE r><r><k>1</k></r>",
            "</r>",
            "{\"json\":1}",
        ] {
            assert!(Document::parse(xml.as_bytes()).is_none(), "{xml}");
        }
        assert!(Document::parse("<a>".repeat(100_000).as_bytes()).is_none());
        assert!(Document::parse(b"<r>\xff</r>").is_none());
    }

    #[test]
    fn random_text_does_not_panic() {
        let pieces: [&str; 18] = [
            "<",
            ">",
            "/",
            "&",
            ";",
            "<a>",
            "</a>",
            "<a b='c'>",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?",
            "?>",
            "&#",
            "&amp;",
            "x",
            "\u{1F600}",
        ];
        let mut random = Random::new(7);
        for _ in 0..20_000 {
            let text: String = (0..random.below(16)).map(|_| *random.pick(&pieces)).collect();
            if let Some(document) = Document::parse(text.as_bytes()) {
                assert!(document.0.iter().all(|leaf| leaf.path.starts_with('/') && !leaf.text.is_empty()));
            }
        }
    }
}
