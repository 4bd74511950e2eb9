//! Search in other scripts: case, accents and words without spaces.

use serde_json::json;

use super::{found, search};
use crate::support::{Person, TestApp, path_of};

#[tokio::test]
async fn case_and_accents_do_not_count_in_any_script() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for (title, searches) in [
        ("Crème Brûlée", ["creme", "BRÛLÉE", "bru\u{302}le"]),
        ("Straße naïve", ["strasse", "STRASSE nai", "straße"]),
        ("ΑΘΉΝΑ Σίσυφος", ["αθηνα", "Αθήνα", "σισυφοσ"]),
        ("Ёлка чай", ["елка", "ЧАИ", "ёл"]),
        ("東京タワー", ["東京", "タワ", "京"]),
        ("שָׁלוֹם עולם", ["שלום", "עו", "שָׁלוֹם"]),
        ("مُحَمَّد", ["محمد", "مُحَم", "مح"]),
        ("हिन्दी", ["हिन्दी", "हि", "हिन्"]),
        ("한국어", ["한국", "한국어", "한"]),
        ("Łódź İzmir ﬁne", ["izmir", "FINE", "łodz"]),
        ("ＡＢＣ ①", ["abc", "ＡＢＣ", "Abc"]),
    ] {
        let path = path_of(&ada.note(&json!({"title": title})).await);
        for text in searches {
            assert_eq!(found(&ada, text).await, [title], "{text}");
        }
        ada.delete(&format!("{path}?permanent=true")).await;
    }
    app.finish().await;
}

/// Each text with searches that find it and searches that don't.
const SCRIPTS: [(&str, &[&str], &[&str]); 11] = [
    (
        "l’école, d'équipe",
        &["école", "ECOLE", "l'equipe", "d’equipe"],
        &["quipe"],
    ),
    (
        "Łódź, Smørrebrød, Işık, Straße",
        &["lodz", "smorre", "ISIK", "isık", "strasse"],
        &["odz"],
    ),
    (
        "Đà Nẵng, Þór, Œuvre",
        &["da nang", "thor", "oeuvre"],
        &["anang"],
    ),
    ("दाल और चावल", &["दाल", "चाव"], &["दिल", "दल"]),
    (
        "บ้านสีขาวอยู่ที่เชียงใหม่",
        &["ขาว", "เชียงใหม่", "บ้าน"],
        &["ข้าว", "บาน"],
    ),
    (
        "東京都の天気",
        &["京都", "天気", "天気 東京", "気"],
        &["京東"],
    ),
    ("ﾃﾚﾋﾞを買う", &["テレビ", "買う"], &["ビテ"]),
    ("كِتَاب أحمد", &["كتاب", "احمد"], &["كتب"]),
    ("שָׁלוֹם, ΟΔΌΣ", &["שלום", "οδος"], &["שולם"]),
    (
        "report_2024-01.pdf, todo:milk",
        &["2024", "pdf", "report 2024", "milk", "todo:milk"],
        &["eport"],
    ),
    (
        "bob@example.org, Wi-Fi, C++ v1.2",
        &["example", "bob@example.org", "wifi", "wi-fi", "c++", "v1.2"],
        &["ifi"],
    ),
];

#[tokio::test]
async fn words_are_found_by_the_rules_of_their_script_each_with_a_snippet_from_there() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for (text, hits, misses) in SCRIPTS {
        let far = format!("{}. {text}", "x ".repeat(200));
        let path = path_of(&ada.note(&json!({"title": "t", "content": far})).await);
        for hit in hits {
            let page = search(&ada, hit).await;
            assert_eq!(page["count"], 1, "{hit} in {text}");
            let snippet = page["results"][0]["snippet"].as_str().unwrap();
            assert!(snippet.contains(text), "{hit}: {snippet}");
        }
        for miss in misses {
            assert_eq!(search(&ada, miss).await["count"], 0, "{miss} in {text}");
        }
        ada.delete(&format!("{path}?permanent=true")).await;
    }
    app.finish().await;
}
