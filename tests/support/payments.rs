//! What payment services send.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answer, Builder, Client, TestApp};

/// The secret that Stripe signs with.
pub const STRIPE_SECRET: &str = "whsec_an_example_for_tests";

/// What RevenueCat sends as `Authorization`.
pub const REVENUECAT_SECRET: &str = "an example of a secret";

const STRIPE: &str = "/api/webhooks/stripe/";
const REVENUECAT: &str = "/api/webhooks/revenuecat/";

impl Builder {
    /// Lets both payment services in.
    pub fn paid(self) -> Self {
        self.set("SMART_NOTES__PAYMENTS__STRIPE_SECRET", STRIPE_SECRET)
            .set(
                "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET",
                REVENUECAT_SECRET,
            )
    }
}

/// The signature of a body by Stripe, at that second.
pub fn signature(secret: &str, second: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{second}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

impl Client {
    /// Sends a body to where Stripe does, with this signature.
    pub async fn stripe_with(&self, signature: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", STRIPE);
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let request = request.header("Stripe-Signature", signature);
        request.body(body).send().await
    }

    /// Sends a body to where RevenueCat does, with this header.
    pub async fn revenuecat_with(&self, authorization: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", REVENUECAT);
        let request = request.header("Content-Type", "application/json");
        let request = request.header("Authorization", authorization);
        request.body(body).send().await
    }
}

impl TestApp {
    /// What the clock shows, in seconds since 1970.
    pub fn second(&self) -> i64 {
        use domain::clock::Clock;
        self.clock.now().as_second()
    }

    /// Sends a body signed by Stripe.
    pub async fn stripe_body(&self, body: impl Into<Bytes>) -> Answer {
        let (body, now) = (body.into(), self.second());
        let signature = signature(STRIPE_SECRET, now, &body);
        let header = format!("t={now},v1={signature}");
        self.client.stripe_with(&header, body).await
    }

    /// Sends an event of Stripe, made at that second, about an object; it must be taken.
    #[track_caller]
    pub fn stripe(
        &self,
        id: &str,
        created: i64,
        kind: &str,
        object: Value,
    ) -> impl Future<Output = ()> {
        let mut event = json!({
            "id": id, "object": "event", "type": kind, "created": created, "livemode": true,
        });
        event["data"]["object"] = object;
        async move {
            let answer = self.stripe_body(event.to_string()).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
        }
    }

    /// Sends an event of RevenueCat; it must be taken.
    #[track_caller]
    pub fn revenuecat(&self, event: Value) -> impl Future<Output = ()> {
        let mut body = json!({"api_version": "1.0"});
        body["event"] = event;
        let body = body.to_string();
        async move {
            let answer = self.client.revenuecat_with(REVENUECAT_SECRET, body).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
        }
    }

    /// Which payment events are kept, with what they did, in the order of their ids.
    pub async fn payment_events(&self) -> Vec<String> {
        let mut rows = self.rows().await;
        let kept = rows.texts("select id || ': ' || did from payment_events order by id");
        let kept = kept.await;
        rows.close().await;
        kept
    }
}
