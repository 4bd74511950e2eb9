//! Which searches find which texts, script by script.

use super::{of_content, of_search, pattern};

/// Whether a note with this content is found, as the database compares words.
fn finds(content: &str, search: &str) -> bool {
    let stored = of_content(content);
    let searched = of_search(search);
    !searched.is_empty() && (searched.iter()).all(|word| stored.contains(&pattern(word)))
}

/// Each text with searches that find it and searches that don't, separated by bars.
fn check(texts: &[(&str, &str, &str)]) {
    for (content, hits, misses) in texts {
        for (searches, expected) in [(hits, true), (misses, false)] {
            for search in searches.split('|').filter(|search| !search.is_empty()) {
                assert_eq!(finds(content, search), expected, "{search} in {content}");
            }
        }
    }
}

#[test]
fn apostrophes_split_words_whichever_they_are() {
    check(&[
        (
            "col·lecció, paraŀlel",
            "colleccio|col·leccio|paral·lel|leccio",
            "eccio",
        ),
        (
            "à l'école demain",
            "école|ecole|l'école|l’ecole|lecole|l ecole",
            "cole|lécoles",
        ),
        (
            "Réunion d’équipe aujourd’hui",
            "equipe|aujourd'hui|aujourdhui|hui|d'equipe",
            "quipe",
        ),
        (
            "Gita all'università, poi dall’amico",
            "università|amico|all’uni",
            "mico",
        ),
        (
            "I don't, you can’t, Anna's",
            "don't|dont|cant|can't|anna|annas|anna’s",
            "ont",
        ),
        (
            "м'який, п’ять, об\u{2bc}єкт",
            "м’який|мякий|п'ять|обʼєкт|об'єкт|єкт",
            "кт",
        ),
        (
            "Hawai\u{2bb}i Qur\u{2bc}an",
            "hawaii|hawai'i|quran|qur'an",
            "aii",
        ),
        ("צה״ל וצ'ק", "צהל|צה\"ל|צה״ל|וצק|וצ׳ק", ""),
        ("“quoted” ‘words’ «said»", "quoted|words|said", ""),
    ]);
}

#[test]
fn letters_without_a_decomposition_are_found_by_their_ascii_spelling() {
    check(&[
        (
            "Wycieczka do Łodzi, żółty płaszcz",
            "lodzi|Łodzi|ŁODZI|plaszcz|zolty|żółty",
            "odzi",
        ),
        (
            "Smørrebrød i København, på Ærø",
            "smorrebrod|kobenhavn|smørre|pa|aero|ærø",
            "hamn",
        ),
        ("Du lịch Đà Nẵng, Phở", "da nang|đà nẵng|pho|phở|Đà", ""),
        (
            "Işık ve İstanbul, IŞIK, ığdır",
            "ışık|işık|isik|ISIK|istanbul|İSTANBUL|igdir|IĞDIR",
            "",
        ),
        (
            "Straße, Œuvre, GROẞ",
            "strasse|STRASSE|oeuvre|œuvre|gross|groß",
            "strase",
        ),
        (
            "Þór og Guðrún á Ísafirði",
            "thor|þór|gudrun|guðrún|isafirdi",
            "",
        ),
        (
            "Malti Ħaż-Żebbuġ, Əliyev, Sámi Kárášjohka",
            "haz|zebbug|haz-zebbug|eliyev|karasjohka",
            "",
        ),
        ("ﬁne oﬃce ＡＢＣ ① ½", "fine|office|abc|1", ""),
    ]);
}

#[test]
fn marks_are_dropped_where_they_are_accents_and_count_where_they_are_letters() {
    check(&[
        ("दाल और चावल", "दाल|चावल|दा|चा", "दिल|दल|चवल"),
        ("किताब वापस करो", "किताब|कि|वापस", "कुतुब|कताब"),
        ("हिन्दी ज़मीन", "हिन्दी|हि|ज\u{93c}मीन|\u{95b}मीन", "हन्दी"),
        ("பால் வாங்கு", "பால்|வாங்கு", "பல்"),
        ("বাংলা ভাষা", "বাংলা|ভাষা", "বংলা"),
        (
            "Διεύθυνση σπιτιού, Σίσυφος ΟΔΟΣ",
            "διευθυνση|ΔΙΕΎΘΥΝΣΗ|σισυφοσ|ΣΊΣΥΦΟΣ|οδος|οδός|σπιτιου",
            "",
        ),
        ("ᾳδης ϊ", "αδης|ι", ""),
        ("كِتَاب جديد في المكتبة", "كتاب|كِتَاب|المكتبة|المكتبه", "كتب"),
        (
            "أحمد وآمنة إلى ٱلله مـــوسى",
            "احمد|أحمد|إحمد|وامنة|الى|إلي|الله|موسي|موسى",
            "",
        ),
        (
            "می\u{200c}خواهم کتاب",
            "میخواهم|مي\u{200c}خواهم|كتاب|کتاب",
            "",
        ),
        ("שָׁלוֹם עולם", "שלום|שָׁלוֹם|עו", ""),
        ("Ёлка, чай, йод", "елка|ЁЛКА|ЧАИ|иод", ""),
        (
            "한국어 공부",
            "한국|한국어|한|공부|\u{1112}\u{1161}\u{11ab}국",
            "국어|부",
        ),
        ("٢٠٢٤ १२ ๓๔", "2024|٢٠٢٤|12|34", ""),
    ]);
}

#[test]
fn scripts_without_spaces_are_found_anywhere_in_a_run() {
    check(&[
        (
            "東京都の天気予報を見る",
            "東京|京都|天気|予報|報を|見る|天気 東京|る|の|天",
            "京東|天予|見予",
        ),
        (
            "今日ﾃﾚﾋﾞとﾊﾟｿｺﾝを買う",
            "テレビ|パソコン|ﾃﾚﾋﾞ|今日|買う|ﾚﾋﾞ",
            "テレパ",
        ),
        (
            "カタカナのガガガ",
            "カタカナ|ガ|\u{30ab}\u{3099}ガ|タカナ",
            "",
        ),
        (
            "iPhone15を買いました2024年",
            "iphone15|iphone|を買い|2024|2024年|年",
            "phone",
        ),
        (
            "我们明天去北京大学",
            "北京|大学|京大|北京大学|明天 大学|我",
            "京北|学大",
        ),
        (
            "ปีใหม่ไปเที่ยวเชียงใหม่",
            "ปี|ปีใหม่|เที่ยว|เชียงใหม่|ใหม่|เชียง",
            "ปู|เทียวๆ",
        ),
        ("กินข้าวเช้า ข่าววันนี้", "ข้าว|ข่าว|กินข้าว|เช้า", "ขาว"),
        ("สีขาว น้ำแข็ง", "ขาว|น้ำ|แข็ง", "ข้าว|ข่าว"),
        ("ສະບາຍດີ ພາສາລາວ", "ສະບາຍ|ບາຍດີ|ລາວ|ພາສາ", ""),
        ("ភាសា\u{200b}ខ្មែរ", "ភាសា|ខ្មែរ|ភាសាខ្មែរ", ""),
        ("မြန်မာဘာသာ", "မြန်မာ|ဘာသာ|မာဘာ", ""),
        ("重跑gen-itgc后清零", "gen|itgc|清零|重跑|gen-itgc", "en"),
    ]);
}

#[test]
fn words_beside_a_sign_are_words() {
    check(&[
        (
            "todo:milk and wifi:guest",
            "milk|guest|todo|todo:milk|wifi guest|todo-milk",
            "ilk",
        ),
        (
            "It ended.Next week again…Then",
            "next|ended|then|ended.next",
            "",
        ),
        (
            "see report_2024-01.pdf",
            "2024|pdf|report|report_2024|report_2024-01.pdf|report 2024 01",
            "eport",
        ),
        (
            "mail bob@example.org about https://notes.example.com/path?q=tea#top",
            "bob|example|path|notes.example.com|bob@example.org|tea|top|https://notes.example.com/path",
            "",
        ),
        (
            "room 3.5, price 1,299, v1.2.3, 12.05.2024",
            "3.5|1,299|1.2|v1.2.3|2024|12.05.2024",
            "",
        ),
        (
            "C++ and C# and .NET, node.js, a/b",
            "c++|c#|.net|net|node|js|node.js|a/b|b",
            "",
        ),
        (
            "#shopping @home +49 30-1234",
            "#shopping|shopping|@home|home|49|301234|30-1234",
            "",
        ),
        (
            "Wi-Fi, e\u{2010}mail, co\u{ad}operate",
            "wifi|wi-fi|fi|email|e-mail|mail|cooperate",
            "",
        ),
        ("🦀crab🎉party", "crab|party|🦀crab", ""),
        (
            "snake_case kebab-case camelCase",
            "case|snake|kebab|kebabcase|snake_case",
            "",
        ),
    ]);
}
