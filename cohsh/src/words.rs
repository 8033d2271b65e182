//! A line becomes words: quoting, comments and `> PATH`.
//!
//! Knows no verb. The rules are those of `sh`, without expansion of any kind:
//!
//! ```text
//! word  'as it is'  "with \" \\ \n \t"  back\ slash   # comment
//! echo text > /path        replaces          echo text >> /path       appends
//! ```

use crate::limits::LINE_BYTES_MAX;

/// One line, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The words, unquoted.
    pub words: Vec<String>,
    /// Where `>` or `>>` points.
    pub redirect: Option<Redirect>,
}

/// `> PATH` or `>> PATH`: a file of the hive that takes the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `>>`.
    pub append: bool,
    /// The file.
    pub path: String,
}

/// Why a line is not words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote is opened and not closed.
    #[error("the {quote} at column {column} is never closed")]
    OpenQuote {
        /// Which one.
        quote: char,
        /// Where, counted from 1.
        column: usize,
    },
    /// A backslash is the last character.
    #[error("the line ends after a backslash")]
    TrailingBackslash,
    /// `>` without a path.
    #[error("{sign} names no file; write {sign} PATH")]
    RedirectToNothing {
        /// `>` or `>>`.
        sign: &'static str,
    },
    /// More than one `>`, or words after its path.
    #[error("unexpected {word:?} after > PATH; the file comes last and there is only one")]
    AfterRedirect {
        /// What stands there.
        word: String,
    },
    /// A line beyond the bound.
    #[error("the line has {bytes} bytes; at most {LINE_BYTES_MAX} are taken")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

/// Splits a line. An empty line, or one with only a comment, has no words.
///
/// # Errors
/// See [`WordsError`].
pub fn split(line: &str) -> Result<Words, WordsError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(WordsError::TooLong { bytes: line.len() });
    }
    assemble(tokens(line)?)
}

/// Takes words that another shell has split already. `>` and `>>` standing alone keep their meaning there,
/// for `cohsh echo text '>' /path`.
///
/// # Errors
/// See [`WordsError`].
pub fn from_arguments(arguments: &[String]) -> Result<Words, WordsError> {
    assemble(arguments.iter().map(|word| Token::of_argument(word)).collect())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Redirect(&'static str),
}

impl Token {
    fn of_argument(word: &str) -> Self {
        match word {
            ">" => Self::Redirect(">"),
            ">>" => Self::Redirect(">>"),
            _ => Self::Word(word.to_owned()),
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Word(word) => word,
            Self::Redirect(sign) => sign.to_owned(),
        }
    }
}

fn assemble(tokens: Vec<Token>) -> Result<Words, WordsError> {
    let mut assembled = Words::default();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        if assembled.redirect.is_some() {
            return Err(WordsError::AfterRedirect { word: token.into_text() });
        }
        match token {
            Token::Word(word) => assembled.words.push(word),
            Token::Redirect(sign) => {
                let Some(Token::Word(path)) = tokens.next() else {
                    return Err(WordsError::RedirectToNothing { sign });
                };
                assembled.redirect = Some(Redirect { append: sign == ">>", path });
            }
        }
    }
    Ok(assembled)
}

/// What a line is cut into; `word` is `None` between words, so that `''` is a word and nothing is not.
#[derive(Default)]
struct Cutter {
    tokens: Vec<Token>,
    word: Option<String>,
}

impl Cutter {
    fn push(&mut self, letter: char) {
        self.word.get_or_insert_default().push(letter);
    }

    fn end_word(&mut self) {
        self.tokens.extend(self.word.take().map(Token::Word));
    }
}

type Letters<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>;

fn tokens(line: &str) -> Result<Vec<Token>, WordsError> {
    let mut cutter = Cutter::default();
    let mut letters = line.chars().enumerate().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '#' if cutter.word.is_none() => break,
            '\'' => single_quoted(&mut cutter, &mut letters, at)?,
            '"' => double_quoted(&mut cutter, &mut letters, at)?,
            '\\' => match letters.next() {
                Some((_, escaped)) => cutter.push(escaped),
                None => return Err(WordsError::TrailingBackslash),
            },
            '>' => {
                cutter.end_word();
                let append = letters.next_if(|(_, next)| *next == '>').is_some();
                cutter.tokens.push(Token::Redirect(if append { ">>" } else { ">" }));
            }
            space if space.is_whitespace() => cutter.end_word(),
            other => cutter.push(other),
        }
    }
    cutter.end_word();
    Ok(cutter.tokens)
}

fn single_quoted(
    cutter: &mut Cutter,
    letters: &mut Letters<'_>,
    opened_at: usize,
) -> Result<(), WordsError> {
    cutter.word.get_or_insert_default();
    for (_, letter) in letters {
        if letter == '\'' {
            return Ok(());
        }
        cutter.push(letter);
    }
    Err(WordsError::OpenQuote { quote: '\'', column: opened_at + 1 })
}

fn double_quoted(
    cutter: &mut Cutter,
    letters: &mut Letters<'_>,
    opened_at: usize,
) -> Result<(), WordsError> {
    cutter.word.get_or_insert_default();
    while let Some((_, letter)) = letters.next() {
        match letter {
            '"' => return Ok(()),
            '\\' => match letters.next() {
                Some((_, 'n')) => cutter.push('\n'),
                Some((_, 't')) => cutter.push('\t'),
                Some((_, quoted @ ('"' | '\\'))) => cutter.push(quoted),
                Some((_, other)) => {
                    cutter.push('\\');
                    cutter.push(other);
                }
                None => break,
            },
            other => cutter.push(other),
        }
    }
    Err(WordsError::OpenQuote { quote: '"', column: opened_at + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap().words
    }

    /// Proves SH-1.
    #[test]
    fn quotes_and_backslashes_are_those_of_sh() {
        assert_eq!(words("ls  /gpu\t/log "), ["ls", "/gpu", "/log"]);
        assert_eq!(words(r"echo 'a  b'c"), ["echo", "a  bc"]);
        assert_eq!(words(r#"echo "say \"hi\"\n\d""#), ["echo", "say \"hi\"\n\\d"]);
        assert_eq!(words(r"echo a\ b \> '' "), ["echo", "a b", ">", ""]);
        assert_eq!(words(r#"echo '{"kill":"worker-7"}'"#), ["echo", r#"{"kill":"worker-7"}"#]);
    }

    /// Proves SH-1.
    #[test]
    fn a_comment_starts_at_the_start_of_a_word_only() {
        assert_eq!(words("ls # everything"), ["ls"]);
        assert_eq!(words("# nothing"), Vec::<String>::new());
        assert_eq!(words("cat a#b"), ["cat", "a#b"]);
    }

    /// Proves SH-2.
    #[test]
    fn an_arrow_points_at_one_file_and_ends_the_line() {
        let line = split("echo RENEW>/gpu/GPU-0/lease").unwrap();
        assert_eq!(line.words, ["echo", "RENEW"]);
        assert_eq!(
            line.redirect,
            Some(Redirect { append: false, path: "/gpu/GPU-0/lease".into() })
        );
        assert!(split("echo x >> /log").unwrap().redirect.unwrap().append);
        assert_eq!(split("echo '>' x").unwrap().redirect, None);
    }

    /// Proves SH-2.
    #[test]
    fn arguments_from_another_shell_keep_a_lone_arrow() {
        let arguments = ["echo", "a > b", ">", "/queen/ctl"].map(str::to_owned);
        let line = from_arguments(&arguments).unwrap();
        assert_eq!(line.words, ["echo", "a > b"]);
        assert_eq!(line.redirect.unwrap().path, "/queen/ctl");
    }

    #[test]
    fn a_line_that_cannot_be_words_says_where() {
        let error = |line| split(line).unwrap_err().to_string();
        assert_eq!(error("echo 'abc"), "the ' at column 6 is never closed");
        assert_eq!(error(r#"echo "abc\"#), "the \" at column 6 is never closed");
        assert_eq!(error(r"echo \"), "the line ends after a backslash");
        assert_eq!(error("echo x >"), "> names no file; write > PATH");
        assert_eq!(
            error("echo x > a b"),
            "unexpected \"b\" after > PATH; the file comes last and there is only one"
        );
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        assert_eq!(error(&long), "the line has 65537 bytes; at most 65536 are taken");
    }
}
