//! The schemas of notes in requests and refusals of `crate::notes`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::notes::NoteBody;

/// A body with the fields of a note, those of its own first; last, what is said of the tags. A struct of the fields in
/// each of them would make another schema: one that is put together.
macro_rules! note_fields {
    ($(#[$about:meta])* $name:ident { $($own:tt)* } $(#[$about_tags:meta])*) => {
        $(#[$about])*
        #[derive(ToSchema)]
        pub struct $name {
            $($own)*
            /// The title of the note.
            #[schema(max_length = 200, pattern = r"^[^\u0000]*$", nullable = false)]
            pub title: Option<String>,
            /// The content of the note.
            #[schema(max_length = 100_000, pattern = r"^[^\u0000]*$", nullable = false)]
            pub content: Option<String>,
            $(#[$about_tags])*
            #[schema(max_items = 20, nullable = false)]
            pub tags: Option<Vec<Tag>>,
            /// Whether the note is pinned.
            #[schema(nullable = false)]
            pub is_pinned: Option<bool>,
            /// Whether the note is archived.
            #[schema(nullable = false)]
            pub is_archived: Option<bool>,
        }
    };
}

note_fields! {
    /// A new note, with at least a title or a content.
    NewNoteRequest {
        /// The id of the note; by default, the server chooses one.
        #[schema(
            pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
            example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"
        )]
        pub id: Option<String>,
        /// When the client created it, offline or in another app. Used only for a new note; a future time becomes now.
        #[schema(value_type = Option<String>, format = DateTime, example = "2020-02-03T08:00:00Z")]
        pub created_at: Option<String>,
    }
    /// The tags, in their order.
}

note_fields! {
    /// A whole note, with at least a title or a content. Missing fields get their defaults.
    NoteRequest {
        /// When the client created it, offline or in another app. Used only for a new note; a future time becomes now.
        #[schema(value_type = Option<String>, format = DateTime, example = "2020-02-03T08:00:00Z")]
        pub created_at: Option<String>,
    }
    /// The tags, in their order.
}

note_fields! {
    /// A partial note. Missing fields stay unchanged.
    PatchRequest {}
    /// The tags, all of them.
}

/// A word that notes are found by. Space alone is none; U+0085 is space, too, which not every `\s` knows.
#[derive(ToSchema)]
#[schema(max_length = 50, pattern = r"^[^\u0000]*[^\s\u0000\u0085][^\u0000]*$")]
pub struct Tag(pub String);

/// A batch of edits that were made offline.
#[derive(ToSchema)]
pub struct BatchRequest {
    /// The device that sends them, by a name that it has made up for its outbox, such as a UUID: a name no other outbox
    /// has. It is in no conflict with what it wrote itself.
    #[schema(
        min_length = 8,
        max_length = 64,
        example = "6f0d2c3e-8a51-4f7e-9c0b-1d2e3f405162"
    )]
    pub device: Option<String>,
    /// The edits, in order.
    #[schema(max_items = 100)]
    pub edits: Vec<EditRequest>,
}

/// An edit that was made offline.
#[derive(ToSchema)]
pub struct EditRequest {
    /// `upsert` writes the note, `delete` puts it into the trash.
    pub op: EditKind,
    /// The id of the note.
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"
    )]
    pub id: String,
    /// The version that was edited; missing if the client created the note.
    #[schema(minimum = 0)]
    pub base_version: Option<i64>,
    /// What an `upsert` writes: the whole note. One that names only the title empties the content.
    #[schema(nullable = false)]
    pub note: Option<NoteRequest>,
}

/// The plan's limit of notes or storage is reached.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteLimitReached {
    /// A message for people.
    pub error: String,
    /// A stable code for programs.
    pub code: LimitCode,
    /// How many live notes the plan holds; or how many bytes of notes, those in the trash included.
    pub limit: u64,
    /// The current number.
    pub used: u64,
    /// The plan.
    pub plan: PlanName,
}

/// Which limit of the plan was reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitCode {
    /// That of live notes.
    NoteLimitReached,
    /// That of bytes.
    StorageLimitReached,
}

/// A plan. Later versions may have more.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
#[serde(rename_all = "snake_case")]
pub enum PlanName {
    /// The free plan.
    Free,
    /// The paid plan.
    Premium,
}

/// The operation of an edit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditKind {
    /// Writes the note.
    Upsert,
    /// Moves the note to the trash.
    Delete,
}

/// The status of an edit. Later versions may add values.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditStatus {
    /// The note was created.
    Created,
    /// The note was changed.
    Updated,
    /// The note is in the trash.
    Deleted,
    /// The edit changed nothing.
    Unchanged,
    /// The note was changed by others in the meantime.
    Conflict,
    /// The edit was refused.
    Error,
}

/// The reason of a refused edit. Later versions may add values.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditCode {
    /// It can't be read, or would leave the note blank.
    Invalid,
    /// The answer has no room for it: send it again in another batch.
    AnswerTooLarge,
    /// The plan's limit of notes is reached.
    NoteLimitReached,
    /// The plan's limit of storage is reached.
    StorageLimitReached,
    /// Another user's note has the identifier.
    Taken,
    /// The server is busy: send it again.
    Busy,
}

/// The one code of its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangedCode {
    /// The note does not match the condition.
    NoteChanged,
}

/// The note does not match the client's condition.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteChanged {
    /// A message for people.
    pub error: String,
    /// A stable code for programs.
    pub code: ChangedCode,
    /// The current note; `null` if there is none.
    pub note: Option<NoteBody>,
}
