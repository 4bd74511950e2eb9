//! A name server on this machine that knows a few texts.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A running name server. It ends with the test.
pub struct Nameserver {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Nameserver {
    /// One that knows these texts, each under its name without the final dot.
    pub async fn with(texts: &[(&str, &str)]) -> Self {
        let texts = texts
            .iter()
            .map(|(name, text)| (format!("{name}."), (*text).to_owned()));
        let texts: Vec<(String, String)> = texts.collect();
        Self::answering(move |query| Some(answer(query, &texts))).await
    }

    /// One that hears and never answers.
    pub async fn silent() -> Self {
        Self::answering(|_| None).await
    }

    async fn answering(
        answer: impl Fn(&Message) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                if let Some(answer) = answer(&query) {
                    socket
                        .send_to(&answer.to_vec().unwrap(), peer)
                        .await
                        .unwrap();
                }
            }
        });
        Self { address, task }
    }
}

fn answer(query: &Message, texts: &[(String, String)]) -> Message {
    let asked = query.queries[0].clone();
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.authoritative = true;
    answer.add_query(asked.clone());
    let name = asked.name().to_string().to_lowercase();
    let found = texts.iter().filter(|(known, _)| *known == name);
    for (_, text) in found {
        // In two pieces, as long texts come.
        let (one, other) = text.split_at(text.len() / 2);
        let data = RData::TXT(TXT::new(vec![one.to_owned(), other.to_owned()]));
        answer.add_answer(Record::from_rdata(asked.name().clone(), 60, data));
    }
    if answer.answers.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer
}
