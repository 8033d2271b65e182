//! Strict JSON: a key twice is refused, an unknown key is refused, and every refusal names the place.
//!
//! `serde_json` reads the text; this reads the fields, because a message like `params[3].u32: …` needs to know where it is.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, ops::RangeInclusive, str::FromStr};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::Refusal;

/// What is wrong with a value, and where: the place grows from the inside out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    place: String,
    refusal: Refusal,
}

impl Wrong {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Refusal::invalid(text).into()
    }

    /// It happened within this field.
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = alloc::format!("{name}{dot}{}", self.place);
        self
    }

    /// It happened within this element of a list.
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = alloc::format!("[{index}]{dot}{}", self.place);
        self
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self { place: String::new(), refusal }
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        if wrong.place.is_empty() { wrong.refusal } else { wrong.refusal.at(wrong.place) }
    }
}

/// One JSON value; integers are kept apart from other numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    /// Reads one value that takes up all of `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        serde_json::from_str(text)
            .map_err(|error| Wrong::new(alloc::format!("not strict JSON: {error}")))
    }

    /// The refusal of a value that is not what was wanted.
    pub(crate) fn refuse(&self, wanted: impl fmt::Display) -> Wrong {
        Wrong::new(alloc::format!("got {self}, wanted {wanted}"))
    }

    pub(crate) fn object(self) -> Result<Fields, Wrong> {
        match self {
            Self::Object(fields) => Ok(Fields { fields, known: Vec::new() }),
            other => Err(other.refuse("an object")),
        }
    }

    /// A list with so many elements, each read by `read`; a refusal names the element.
    pub(crate) fn list<T>(
        self,
        range: RangeInclusive<usize>,
        mut read: impl FnMut(Self) -> Result<T, Wrong>,
    ) -> Result<Vec<T>, Wrong> {
        match self {
            Self::List(list) if range.contains(&list.len()) => list
                .into_iter()
                .enumerate()
                .map(|(index, value)| read(value).map_err(|wrong| wrong.in_element(index)))
                .collect(),
            other => {
                Err(other.refuse(format_args!("a list of {} to {}", range.start(), range.end())))
            }
        }
    }

    pub(crate) fn text(self) -> Result<String, Wrong> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.refuse("a string")),
        }
    }

    pub(crate) fn bool(self) -> Result<bool, Wrong> {
        match self {
            Self::Bool(value) => Ok(value),
            other => Err(other.refuse("true or false")),
        }
    }

    /// A string that reads as a `T`.
    pub(crate) fn parsed<T>(self) -> Result<T, Wrong>
    where
        T: FromStr,
        T::Err: Into<Refusal>,
    {
        self.text()?.parse().map_err(|bad: T::Err| bad.into().into())
    }

    /// An integer within `range`.
    pub(crate) fn integer<T>(self, range: RangeInclusive<T>) -> Result<T, Wrong>
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        let value = match self {
            Self::Integer(value) => T::try_from(value).ok(),
            _ => None,
        };
        value
            .filter(|value| range.contains(value))
            .ok_or_else(|| self.refuse(format_args!("{} to {}", range.start(), range.end())))
    }
}

/// The value in words, for "got …, wanted …"; long ones are cut.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            // `1.0` stays apart from `1`, `1e39` stays short.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "{:?}", text.chars().take(80).collect::<String>()),
            Self::List(list) => write!(f, "a list of {}", list.len()),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

/// The fields of one object, each taken once by name; what is left over was not known.
pub(crate) struct Fields {
    fields: BTreeMap<String, Json>,
    known: Vec<&'static str>,
}

impl Fields {
    /// A field that may be missing, read by `read`; its refusal names the field.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Json) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Wrong> {
        self.known.push(name);
        self.fields
            .remove(name)
            .map(|value| read(value).map_err(|wrong| wrong.in_field(name)))
            .transpose()
    }

    /// A field that must be there.
    pub(crate) fn needed<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Json) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        self.optional(name, read)?.ok_or_else(|| Wrong::new("is missing").in_field(name))
    }

    /// The one field that is left, whatever its name, to tell one form of object from another by.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), Wrong> {
        let Some(unknown) = self.fields.keys().next() else { return Ok(()) };
        let unknown: String = unknown.chars().take(80).collect();
        Err(Wrong::new(alloc::format!("unknown key {unknown:?}, wanted {}", self.known.join(", "))))
    }

    /// All fields, for objects whose keys are the caller's own.
    pub(crate) fn into_entries(self) -> impl ExactSizeIterator<Item = (String, Json)> {
        self.fields.into_iter()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_string()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if fields.contains_key(&key) {
                let key: String = key.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("key {key:?} is given twice")));
            }
            fields.insert(key, entries.next_value()?);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Refusal::from(Json::parse(text).unwrap_err()).text
    }

    #[test]
    fn key_given_twice_is_refused_by_name_at_any_depth() {
        assert_eq!(
            refused(r#"{"a":1,"a":2}"#),
            r#"not strict JSON: key "a" is given twice at line 1 column 10"#
        );
        assert!(refused(r#"[{"b":{"a":1,"a":1}}]"#).contains(r#"key "a" is given twice"#));
        // The same key, spelt otherwise.
        assert!(refused(r#"{"a":1,"\u0061":2}"#).contains(r#"key "a" is given twice"#));
    }

    #[test]
    fn text_after_the_value_and_endless_nesting_are_refused() {
        assert!(refused("{} {}").contains("trailing characters"));
        assert!(refused(&"[".repeat(10_000)).contains("recursion limit"));
    }

    #[test]
    fn place_grows_from_the_inside_out() {
        let wrong =
            Wrong::new("got 5, wanted 1 to 3").in_field("bytes").in_element(3).in_field("params");
        assert_eq!(Refusal::from(wrong).text, "params[3].bytes: got 5, wanted 1 to 3");
        assert_eq!(Refusal::from(Wrong::new("plain")).text, "plain");
    }
}
