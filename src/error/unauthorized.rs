//! What a 401 says.

/// Why a request counts as nobody's, in the words clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    /// No header, or one of another scheme.
    NotProvided,
    /// The scheme alone.
    NoCredentials,
    /// Something after the token.
    Spaces,
    /// Bytes that are no text.
    InvalidCharacters,
    /// Unknown, ended, or expired: never told apart.
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
