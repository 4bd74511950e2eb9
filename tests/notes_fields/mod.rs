//! What a note's fields may hold, and the bodies they come in. What is refused changes nothing.

mod bodies;
mod values;

use crate::support::{Answer, Client};

const NOT_TEXT: &str = "Not a valid string.";
const NOT_LIST: &str = "Expected a list of items.";
const NOT_BOOL: &str = "Must be a valid boolean.";
const NO_UUID: &str = "Must be a valid UUID.";
const NUL: &str = "Null characters are not allowed.";

async fn send_raw(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let request = client.request(method, path);
    let request = request.header("Content-Type", "application/json");
    request.body(body.to_owned()).send().await
}
