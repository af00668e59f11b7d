//! Reads the text of elements from XML: responses of STS and S3, and errors of any service.

use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

/// Maximum depth of nested elements. Responses of STS have five, the deepest that are read.
const MAX_DEPTH: usize = 32;

/// The elements with text, in document order.
pub(crate) struct XmlDocument(Vec<Leaf>);

/// An element with text. Its names are shared with its parent and siblings: with copies, a response of 256 KiB with long
/// names would take a gigabyte of memory.
struct Leaf {
    /// Without namespace prefix, like `name`; `None` for the root.
    parent: Option<Rc<str>>,
    name: Rc<str>,
    /// Trimmed; not empty.
    text: String,
}

impl XmlDocument {
    /// Returns `None` for malformed XML, a document without text, a document type declaration, and entities other than
    /// the five of XML. The document takes memory in proportion to `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(bytes).ok()?);
        let mut builder = Builder::default();
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => builder.start(element.local_name().as_ref())?,
                Event::End(_) => builder.end()?,
                Event::Text(text) => builder.text.push_str(&text.xml10_content()),
                Event::CData(text) => builder.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => builder.reference(&reference)?,
                Event::DocType(_) => return None,
                Event::Eof => return builder.finish(),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// Returns the text of the first element with this name, or with this parent and name: `Credentials/AccessKeyId`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|leaf| leaf.matches(path))
            .map(|leaf| leaf.text.as_str())
    }
}

impl Leaf {
    fn matches(&self, path: &str) -> bool {
        match path.split_once('/') {
            Some((parent, name)) => self.parent.as_deref() == Some(parent) && *self.name == *name,
            None => *self.name == *path,
        }
    }
}

#[derive(Default)]
struct Builder {
    /// The names of the open elements, from the root on.
    open: Vec<Rc<str>>,
    /// The text since the last tag.
    text: String,
    leaves: Vec<Leaf>,
}

impl Builder {
    fn start(&mut self, name: &str) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        self.open.push(name.into());
        self.text.clear();
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let name = self.open.pop()?;
        let text = self.text.trim();
        if !text.is_empty() {
            self.leaves.push(Leaf {
                parent: self.open.last().cloned(),
                name,
                text: text.to_owned(),
            });
        }
        self.text.clear();
        Some(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Option<()> {
        match reference.resolve_char_ref().ok()? {
            Some(character) => self.text.push(character),
            None => self
                .text
                .push_str(resolve_xml_entity(&reference.xml10_content())?),
        }
        Some(())
    }

    fn finish(self) -> Option<XmlDocument> {
        if self.open.is_empty() && !self.leaves.is_empty() {
            Some(XmlDocument(self.leaves))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fuzz;

    fn text(xml: &str, path_end: &str) -> Option<String> {
        XmlDocument::parse(xml.as_bytes())?
            .text(path_end)
            .map(str::to_owned)
    }

    #[test]
    fn text_is_found_by_the_end_of_its_path() {
        let xml = "<?xml version='1.0'?><r xmlns='u:v'><!-- c --><a><k> 1\n</k></a><n:b><k>2</k></n:b><e/></r>";
        assert_eq!(text(xml, "a/k").as_deref(), Some("1"));
        assert_eq!(text(xml, "b/k").as_deref(), Some("2"));
        assert_eq!(text(xml, "k").as_deref(), Some("1"));
        assert_eq!(
            (text(xml, "e"), text(xml, "r"), text(xml, "/k")),
            (None, None, None)
        );
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
            assert!(XmlDocument::parse(xml.as_bytes()).is_none(), "{xml}");
        }
        assert!(XmlDocument::parse("<a>".repeat(100_000).as_bytes()).is_none());
        assert!(XmlDocument::parse(b"<r>\xff</r>").is_none());
    }

    /// The size limit of responses with credentials.
    const RESPONSE_BYTES: usize = 256 * 1024;

    #[test]
    fn memory_is_proportional_to_the_response() {
        // Half of the response are the long names of 31 nested elements, the other half are the smallest leaves.
        let leaf = "<a>x</a>";
        let names: Vec<String> = (0..MAX_DEPTH - 1)
            .map(|depth| format!("n{depth:02000}"))
            .collect();
        let opening: String = names.iter().map(|name| format!("<{name}>")).collect();
        let closing: String = names
            .iter()
            .rev()
            .map(|name| format!("</{name}>"))
            .collect();
        let leaves = leaf.repeat((RESPONSE_BYTES - opening.len() - closing.len()) / leaf.len());
        let long_names = format!("{opening}{leaves}{closing}");
        let one_parent = format!("<r>{}</r>", leaf.repeat(RESPONSE_BYTES / leaf.len()));
        for xml in [long_names, one_parent] {
            let mut document = None;
            let memory =
                allocation_counter::measure(|| document = XmlDocument::parse(xml.as_bytes()));
            assert_eq!(document.unwrap().text("a"), Some("x"));
            let kept_bytes = usize::try_from(memory.bytes_current).unwrap();
            assert!(
                (RESPONSE_BYTES..12 * RESPONSE_BYTES).contains(&kept_bytes),
                "{memory:?}"
            );
            let peak_bytes = usize::try_from(memory.bytes_max).unwrap();
            assert!(peak_bytes < 16 * RESPONSE_BYTES, "{memory:?}");
        }
    }

    #[test]
    fn fuzz_xml() {
        let samples = [
            "<?xml version='1.0'?><R xmlns=\"u\"><Credentials><AccessKeyId>id</AccessKeyId></Credentials></R>",
            "<a:R b='c' d=\"&#65;\"><![CDATA[x]]><!-- y --><Code>&amp;&#x1F600;&lt;</Code><e/></a:R>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        ];
        fuzz(&samples, |bytes| {
            if let Some(document) = XmlDocument::parse(bytes) {
                assert!(document.0.iter().all(|leaf| !leaf.text.trim().is_empty()));
                let first = document.0.first().unwrap();
                assert_eq!(document.text(&first.name), Some(first.text.as_str()));
            }
        });
    }
}
