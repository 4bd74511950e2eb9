//! What requests leave in the log.

use serde_json::json;

use crate::support::{Person, Process, Processes, Raw};

/// The lines of requests in a program's log.
fn lines(api: &Process, text: &str) -> Vec<String> {
    let log = api.log();
    let of_requests = log.lines().filter(|line| line.contains("answered"));
    let with = of_requests.filter(|line| line.contains(text));
    with.map(str::to_owned).collect()
}

/// The line that sums up what was refused for a reason.
fn summed_up(api: &Process, reason: &str) -> String {
    let log = api.log();
    let reason = format!("reason=\"{reason}\"");
    let mut sums = log
        .lines()
        .filter(|line| line.contains("further refusals, not logged individually"));
    let sum = sums.find(|line| line.contains(&reason));
    sum.unwrap_or_else(|| panic!("{log}")).to_owned()
}

#[tokio::test]
async fn refusals_of_one_client_are_counted_after_the_first_of_a_minute() {
    let mut app = Processes::with()
        .limited()
        .set("SMART_NOTES__LIMITS__REQUESTS_PER_SECOND_PER_CLIENT", "1")
        .set("SMART_NOTES__LIMITS__REQUEST_BURST_PER_CLIENT", "100")
        .start()
        .await;
    let address = app.apis[0].client.address();

    for _ in 0..20 {
        app.client().get("/nothing").await;
        Raw::connect(address).await.write("GARBAGE\r\n\r\n").await;
    }
    for _ in 0..200 {
        app.client().get("/api/auth/me/").await;
    }
    app.apis[0].process.terminate();
    app.apis[0].process.ended().await;

    let api = &app.apis[0].process;
    let refused = lines(api, "http.status=429");
    assert_eq!(refused.len(), 5, "{refused:?}");
    for line in &refused {
        assert!(
            line.contains("client=127.0.0.1 reason=\"requests\""),
            "{line}"
        );
    }
    let sums = ["Not Found", "Bad Request", "Unauthorized", "requests"];
    for reason in sums {
        let line = summed_up(api, reason);
        assert!(line.contains("client=127.0.0.1"), "{line}");
    }
    assert!(summed_up(api, "Not Found").contains("count=15"));
}

#[tokio::test]
async fn probes_that_find_all_well_are_not_logged() {
    let app = Processes::with()
        .set("SMART_NOTES__LOG__LEVEL", "info")
        .start()
        .await;

    for probe in ["/health/live", "/health/ready", "/health/live"] {
        assert_eq!(app.client().get(probe).await.status, 200);
    }
    app.client().get("/api/openapi.json").await;

    let api = &app.apis[0].process;
    assert_eq!(lines(api, "http.route=\"/health/").len(), 0);
    assert_eq!(lines(api, "http.route=\"/api/openapi.json\"").len(), 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 16.3.1: whoever tries passwords is seen trying.
#[tokio::test]
async fn failed_logins_are_logged_one_by_one() {
    let app = Processes::start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let login = json!({"login": "ada", "password": "another passphrase"});

    for _ in 0..8 {
        let answer = app.client().post("/api/auth/login/", &login).await;
        assert_eq!(answer.status, 400);
    }

    let api = &app.apis[0].process;
    assert_eq!(lines(api, "http.route=\"/api/auth/login/\"").len(), 8);
    app.finish().await;
}
