//! The reasons of a 401.

/// The reason why a request is not authenticated, with the messages that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    /// The header is missing, or has another scheme.
    NotProvided,
    /// The header has only the scheme.
    NoCredentials,
    /// The header has text after the token.
    Spaces,
    /// The token is not text.
    InvalidCharacters,
    /// The token is unknown, ended or expired; the answer is the same.
    InvalidToken,
    /// The user may not log in.
    Inactive,
}

impl Unauthorized {
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::NotProvided => "Authentication credentials were not provided.",
            Self::NoCredentials => "Invalid token header. No credentials provided.",
            Self::Spaces => "Invalid token header. Token string should not contain spaces.",
            Self::InvalidCharacters => {
                "Invalid token header. Token string should not contain invalid characters."
            }
            Self::InvalidToken => "Invalid token.",
            Self::Inactive => "User inactive or deleted.",
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NotProvided => "not_authenticated",
            Self::NoCredentials | Self::Spaces | Self::InvalidCharacters => "invalid_token_header",
            Self::InvalidToken => "invalid_token",
            Self::Inactive => "user_inactive",
        }
    }
}
