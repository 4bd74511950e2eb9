//! How long a search through thousands of one's own notes takes, in scripts that are folded and split differently.

use std::time::Instant;

use anyhow::ensure;
use domain::password::{HashCost, Hasher, Password};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::harness::{Harness, PASSWORD, log_in_as};
use crate::http::Client;
use crate::isolation::{self, State};
use crate::stats::percentile;

/// The arguments of `search`.
#[derive(clap::Args)]
pub struct Args {
    /// How many notes the user of each script has
    #[arg(long, default_value_t = 5_000)]
    own: u32,
    /// How many words each note has
    #[arg(long, default_value_t = 40)]
    words: u32,
    /// How many requests of each kind
    #[arg(long, default_value_t = 200)]
    rounds: u32,
}

/// A script: words that notes are made of, what stands between two of them, and a word of no note.
struct Sample {
    name: &'static str,
    words: [&'static str; 24],
    between: &'static str,
    none: &'static str,
}

const SAMPLES: [Sample; 4] = [
    Sample {
        name: "Latin",
        words: [
            "milk", "bread", "Łódź", "pears", "market", "Saturday", "letter", "Crème", "garden",
            "l'école", "ticket", "mother", "winter", "harbour", "number", "paper", "window",
            "river", "engine", "copper", "Zürich", "lantern", "music", "salt",
        ],
        between: " ",
        none: "nowhere",
    },
    Sample {
        name: "Hindi",
        words: [
            "दूध",
            "रोटी",
            "बाज़ार",
            "शनिवार",
            "चिट्ठी",
            "बगीचा",
            "टिकट",
            "माँ",
            "सर्दी",
            "किताब",
            "काग़ज़",
            "खिड़की",
            "नदी",
            "संगीत",
            "नमक",
            "चावल",
            "दाल",
            "पानी",
            "स्कूल",
            "गाड़ी",
            "सुबह",
            "शाम",
            "दोस्त",
            "हिन्दी",
        ],
        between: " ",
        none: "हाथी",
    },
    Sample {
        name: "Thai",
        words: [
            "ช้อน",
            "ขนมปัง",
            "ตลาด",
            "วันเสาร์",
            "จดหมาย",
            "สวน",
            "ตั๋ว",
            "แม่",
            "ฤดูหนาว",
            "หนังสือ",
            "กระดาษ",
            "หน้าต่าง",
            "แม่น้ำ",
            "ดนตรี",
            "เกลือ",
            "ข้าว",
            "น้ำ",
            "โรงเรียน",
            "รถไฟ",
            "เช้า",
            "เย็น",
            "เพื่อน",
            "ภาษาไทย",
            "เชียงใหม่",
        ],
        between: "",
        none: "ช้าง",
    },
    Sample {
        name: "Japanese",
        words: [
            "牛乳",
            "パン",
            "市場",
            "土曜日",
            "手紙",
            "庭",
            "切符",
            "母",
            "冬",
            "図書館",
            "紙",
            "窓",
            "川",
            "音楽",
            "塩",
            "ご飯",
            "水",
            "学校",
            "電車",
            "朝",
            "夕方",
            "友達",
            "日本語",
            "東京都",
        ],
        between: "の",
        none: "象",
    },
];

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    let harness = Harness::new().await?;
    for sample in &SAMPLES {
        let user = harness.user(sample.name, &hash).await?;
        let texts = (0..args.own).map(|n| (format!("Note {n}"), sample.content(n, args.words)));
        isolation::add(&harness, user, texts, State::Live).await?;
    }
    let api = harness.start_api().await?;
    let client = Client::new(api.address);
    println!(
        "searching through {} notes of {} words, in milliseconds:",
        args.own, args.words
    );
    for sample in &SAMPLES {
        let token = log_in_as(&client, sample.name).await?;
        for (what, search) in sample.searches() {
            let search = utf8_percent_encode(&search, NON_ALPHANUMERIC);
            let path = format!("/api/notes/?search={search}");
            let mut times = Vec::new();
            for _ in 0..args.rounds {
                let begun = Instant::now();
                let (status, answer) = client.get(&path, Some(&token)).await?;
                ensure!(status == 200, "{path} was answered {status}: {answer}");
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
            times.sort_by(f64::total_cmp);
            println!(
                "  {:<9} {what:<22} p50 {:>5.1}   p99 {:>5.1}",
                sample.name,
                percentile(&times, 0.5),
                percentile(&times, 0.99)
            );
        }
    }
    Ok(())
}

impl Sample {
    /// A note's content: words in an order of its own, the first one in every tenth note alone.
    fn content(&self, n: u32, length: u32) -> String {
        let word = |i: u32| self.words[2 + ((n * 7 + i * i * 3 + i * (n % 5 + 1)) % 22) as usize];
        let mut words: Vec<&str> = (1..length).map(word).collect();
        words.push(self.words[1]);
        if n.is_multiple_of(10) {
            words.push(self.words[0]);
        }
        words.join(self.between)
    }

    fn searches(&self) -> [(&'static str, String); 3] {
        [
            ("a word of all notes", self.words[1].to_owned()),
            ("of a tenth", self.words[0].to_owned()),
            (
                "two words, of none",
                format!("{} {}", self.words[1], self.none),
            ),
        ]
    }
}
