//! The macro behind the two message tables: one row a message gives its variant, its bytes and its one-line form.
//!
//! Knows nothing of any single message.

/// Builds an enum of messages, with `encode`, `decode` and the one-line form, from a table of fields in wire order.
macro_rules! messages {
    (
        $(#[$meta:meta])*
        pub enum $Message:ident {
            $(
                $(#[$row:meta])*
                $Variant:ident = $kind:literal $name:literal in $($dialect:ident)|+ {
                    $($field:ident: $type:ty $(= $style:ident)?),* $(,)?
                }
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $Message {
            $(
                $(#[$row])*
                $Variant {
                    $(
                        #[doc = concat!("`", stringify!($field), "` of ", $name, ".")]
                        $field: $type
                    ),*
                },
            )*
        }

        impl $Message {
            /// `type[1]` of the message.
            #[must_use]
            pub const fn kind(&self) -> u8 {
                match self { $(Self::$Variant { .. } => $kind,)* }
            }

            /// The name in the manual, such as `Tversion`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$Variant { .. } => $name,)* }
            }

            /// The name in the manual for a `type[1]`, if a message of this direction has it.
            #[must_use]
            pub const fn name_of(kind: u8) -> Option<&'static str> {
                match kind { $($kind => Some($name),)* _ => None }
            }

            /// Whether the dialect has this message.
            #[must_use]
            pub fn is_in(&self, dialect: Dialect) -> bool {
                match self { $(Self::$Variant { .. } => [$(Dialect::$dialect),+].contains(&dialect),)* }
            }

            /// Appends the message as one frame. On an error `out` is as it was.
            ///
            /// # Errors
            /// When the frame would be longer than `frame_bytes_max`, or a string longer than its count can say.
            pub fn encode(
                &self,
                tag: Tag,
                dialect: Dialect,
                frame_bytes_max: u32,
                out: &mut Vec<u8>,
            ) -> Result<(), TooLong> {
                frame(out, self.kind(), tag, dialect, frame_bytes_max, |out| match self {
                    $(Self::$Variant { $($field),* } => { $(out.field($field);)* })*
                })
            }

            /// Reads one frame, header included.
            ///
            /// # Errors
            /// See [`Undecodable`].
            pub fn decode(bytes: &[u8], dialect: Dialect) -> Result<(Tag, Self), Undecodable> {
                Self::from_frame(Frame::parse(bytes)?, dialect)
            }

            pub(crate) fn from_frame(
                frame: Frame<'_>,
                dialect: Dialect,
            ) -> Result<(Tag, Self), Undecodable> {
                let Frame { kind, tag, body, payload } = frame;
                let mut from = Reader::new(body, payload, dialect);
                let (message, name) = match kind {
                    $(
                        $kind if [$(Dialect::$dialect),+].contains(&dialect) => {
                            $(
                                let $field = from.field::<$type>().map_err(|CutShort| {
                                    Violation::CutShort { message: $name, field: stringify!($field) }
                                })?;
                            )*
                            (Self::$Variant { $($field),* }, $name)
                        }
                    )*
                    _ => return Err(Self::foreign(kind, tag)),
                };
                match (from.left_bytes(), from.refusal()) {
                    (0, None) => Ok((tag, message)),
                    (0, Some(errno)) => Err(Undecodable::Refused { tag, kind, errno }),
                    (bytes, _) => Err(Violation::TrailingBytes { message: name, bytes }.into()),
                }
            }

            /// One of the messages of a dialect, chosen and filled by `dice`.
            pub(crate) fn sample(dice: &mut Dice<'_>, dialect: Dialect) -> Self {
                type Make<M> = fn(&mut Dice<'_>) -> M;
                let rows: &[(&[Dialect], Make<Self>)] = &[$((
                    &[$(Dialect::$dialect),+],
                    |_dice| Self::$Variant { $($field: Sample::sample(_dice)),* },
                )),*];
                let of_dialect: Vec<Make<Self>> = rows
                    .iter()
                    .filter(|(dialects, _)| dialects.contains(&dialect))
                    .map(|(_, make)| *make)
                    .collect();
                match dice.pick(&of_dialect) {
                    Some(make) => make(dice),
                    None => unreachable!("every dialect has messages"),
                }
            }

            /// Appends the fields in one-line form, each with a space in front.
            pub(crate) fn say(&self, line: &mut String) {
                match self {
                    $(Self::$Variant { $($field),* } => {
                        $(Speech::say($field, stringify!($field), style!($($style)?), line);)*
                    })*
                }
            }

            /// Reads the fields of the message called `name` from its one-line form.
            pub(crate) fn hear(name: &str, words: &mut Words<'_>) -> Result<Option<Self>, NotALine> {
                match name {
                    $($name => Ok(Some(Self::$Variant {
                        $($field: Speech::hear(stringify!($field), style!($($style)?), words)?),*
                    })),)*
                    _ => Ok(None),
                }
            }
        }
    };
}

macro_rules! style {
    () => {
        Style::Plain
    };
    ($style:ident) => {
        Style::$style
    };
}

pub(crate) use {messages, style};
