use std::time::{Duration, Instant};

use proptest::strategy::Strategy;

use super::*;

fn base() -> Place {
    Place::parse("https://news.example/feeds/all.xml").unwrap()
}

fn feed(text: &str) -> Feed {
    read(text.as_bytes(), Some("application/xml"), &base()).unwrap()
}

fn at(text: &str) -> Option<Time> {
    date::read(text)
}

#[test]
fn rss_2_is_read_with_what_people_add_to_it() {
    let feed = feed(
        r#"<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="x" xmlns:dc="x" xmlns:media="x" xmlns:atom="x"><channel>
<title>News &amp; Views</title><atom:link href="https://news.example/feeds/all.xml" rel="self"/><link>https://news.example/</link>
<description>All of it</description><ttl>30</ttl>
<image><title>Logo</title><url>x</url><link>y</link></image>
<item><title><![CDATA[One & <b>only</b>]]></title><link>/1</link><guid isPermaLink="false">tag:1</guid>
<description>&lt;p&gt;Hello &amp;amp; welcome&lt;/p&gt;</description><content:encoded>long</content:encoded>
<dc:creator>Ann</dc:creator><category>Tech</category><category>Tech</category><category>Art</category>
<pubDate>Sat, 13 Dec 2003 18:30:02 GMT</pubDate><media:thumbnail url="/t.jpg"/>
<media:group><media:title>not this</media:title></media:group></item>
<item><description>Without a title</description><enclosure url="https://cdn.example/p.png" type="image/png" length="1"/>
<enclosure url="https://cdn.example/p.mp3" type="audio/mpeg"/></item>
<item><guid>https://news.example/3</guid><title>Three</title></item>
<item><title></title></item>
</channel></rss>"#,
    );
    assert_eq!(feed.title.as_deref(), Some("News & Views"));
    assert_eq!(feed.link.as_deref(), Some("https://news.example/"));
    assert_eq!(
        (feed.description.as_deref(), feed.rest),
        (Some("All of it"), Some(Duration::from_secs(1_800)))
    );
    let [one, two, three] = &feed.items[..] else { panic!("{:?}", feed.items) };
    assert_eq!(
        *one,
        Item {
            key: "tag:1".to_owned(),
            link: Some("https://news.example/1".to_owned()),
            title: "One & only".to_owned(),
            summary: Some("Hello & welcome".to_owned()),
            author: Some("Ann".to_owned()),
            image: Some("https://news.example/t.jpg".to_owned()),
            published: at("2003-12-13T18:30:02Z"),
            categories: vec!["Tech".to_owned(), "Art".to_owned()],
        }
    );
    assert_eq!(
        (two.key.as_str(), two.image.as_deref()),
        ("Without a title", Some("https://cdn.example/p.png"))
    );
    assert_eq!(three.link.as_deref(), Some("https://news.example/3"));
}

#[test]
fn rss_1_and_0_9_and_atom_and_json_say_the_same() {
    let rss_1 = r#"<?xml version="1.0"?><rdf:RDF xmlns:rdf="x" xmlns="y" xmlns:dc="z"><channel rdf:about="a"><title>T</title>
<link>https://news.example/</link></channel><item rdf:about="https://news.example/1"><title>One</title>
<link>https://news.example/1</link><description>Said</description><dc:creator>Ann</dc:creator>
<dc:date>2003-12-13T18:30:02Z</dc:date><dc:subject>Tech</dc:subject></item></rdf:RDF>"#;
    let rss_091 = r#"<rss version="0.91"><channel><title>T</title><link>https://news.example/</link><item><title>One</title>
<link>https://news.example/1</link><description>Said</description><author>Ann</author><category>Tech</category>
<pubDate>13 Dec 03 18:30:02 UT</pubDate></item></channel></rss>"#;
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">T</title><link href="https://news.example/"/>
<link rel="self" href="https://news.example/self"/><author><name>Nobody</name></author><entry><title type="html">One</title>
<id>https://news.example/1</id><link rel="enclosure" href="https://cdn.example/x"/><link rel="alternate" href="/1"/>
<author><name>Ann</name><email>ann@news.example</email><uri>x</uri></author><category term="tech" label="Tech"/>
<updated>2004-01-01T00:00:00Z</updated><published>2003-12-13T18:30:02Z</published>
<content type="xhtml"><div xmlns="x"><p>Said</p></div></content></entry></feed>"#;
    let atom_prefixed = atom
        .replace("<feed", "<atom:feed")
        .replace("</feed", "</atom:feed")
        .replace("<entry", "<atom:entry")
        .replace("</entry", "</atom:entry")
        .replace("<id>", "<atom:id>")
        .replace("</id>", "</atom:id>");
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","home_page_url":"https://news.example/","items":[
{"id":"https://news.example/1","url":"/1","title":"One","content_html":"<p>Said</p>","authors":[{"name":"Ann"}],"tags":["Tech"],
"date_published":"2003-12-13T18:30:02Z"},{"id":2},7,{"id":"3","title":"Three","title":4},{"title":"No id"}]}"#;
    for text in [rss_1, rss_091, atom, &atom_prefixed, json] {
        let feed = feed(text);
        assert_eq!(
            (feed.title.as_deref(), feed.link.as_deref()),
            (Some("T"), Some("https://news.example/")),
            "{text}"
        );
        let item = Item {
            key: "https://news.example/1".to_owned(),
            link: Some("https://news.example/1".to_owned()),
            title: "One".to_owned(),
            summary: Some("Said".to_owned()),
            author: Some("Ann".to_owned()),
            image: None,
            published: at("2003-12-13T18:30:02Z"),
            categories: vec!["Tech".to_owned()],
        };
        assert_eq!(feed.items, [item], "{text}");
    }
}

#[test]
fn what_is_not_well_formed_is_read_as_far_as_it_goes() {
    let items = |text: &str| feed(text).items.into_iter().map(|item| item.title).collect::<Vec<_>>();
    assert_eq!(items("<rss><channel><item><title>A</title></item><item><title>B"), ["A", "B"]);
    assert_eq!(items("<rss><channel><item><title>A<item><title>B</title></channel>"), ["A B"]);
    assert_eq!(items("<rss><channel><item><title>A & B < C</title></item></channel></rss>"), ["A & B < C"]);
    assert_eq!(items("<rss><channel><item><title>A</wrong></title></item></channel></rss>"), ["A"]);
    assert_eq!(
        items("<rss><channel><item><link>javascript:alert(1)</link><title>A</title></item></channel></rss>"),
        ["A"]
    );
    let odd = feed(
        "<rss><channel><item><title>A</title><link>javascript:alert(1)</link><pubDate>soon</pubDate></item></channel></rss>",
    );
    assert_eq!((odd.items[0].link.as_deref(), odd.items[0].published), (None, None));
}

#[test]
fn what_is_no_feed_is_told_from_a_broken_one() {
    for (text, why) in [
        ("", NoFeed::Foreign),
        ("<html><head><title>x</title></head></html>", NoFeed::Foreign),
        ("<!doctype html><p>x", NoFeed::Foreign),
        ("<svg><title>x</title></svg>", NoFeed::Foreign),
        ("plain text", NoFeed::Foreign),
        ("{}", NoFeed::Foreign),
        ("{\"version\":\"1\",\"items\":[]}", NoFeed::Foreign),
        ("{\"version\":\"https://jsonfeed.org/version/1\"", NoFeed::Foreign),
        ("<rss></rss>", NoFeed::Broken),
        ("<rss><channel><item></item></channel></rss>", NoFeed::Broken),
        ("<feed", NoFeed::Foreign),
    ] {
        assert_eq!(read(text.as_bytes(), None, &base()), Err(why), "{text}");
    }
}

#[test]
fn hostile_feeds_cost_little_and_leave_little() {
    let bomb = {
        let mut text = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">".to_owned();
        for n in 1..10 {
            text += &format!("<!ENTITY lol{n} \"{}\">", format!("&lol{};", n - 1).repeat(10));
        }
        text + "<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]><rss><channel><title>&lol9;&xxe;</title></channel></rss>"
    };
    let read_bomb = feed(&bomb);
    assert!(read_bomb.title.is_some_and(|title| title.len() < 100 && !title.contains("root:")));
    let wrap = |inside: String| {
        format!("<rss><channel><title>x</title><item><title>y</title>{inside}</item></channel></rss>")
    };
    let mib = 1 << 20;
    let corpus = [
        ("a million attributes", wrap(format!("<link {}/>", "a='b' ".repeat(mib / 3)))),
        ("a million names", wrap(format!("<link {}/>", "a ".repeat(mib)))),
        ("deep", wrap("<a>".repeat(mib / 2))),
        ("closing", wrap("</a>".repeat(mib / 2))),
        ("deep and closing", wrap("<a>".repeat(mib / 4) + &"</a>".repeat(mib / 4))),
        ("open items", "<rss><channel><title>x</title>".to_owned() + &"<item>".repeat(mib / 4)),
        ("long text", wrap(format!("<description>{}</description>", "x ".repeat(mib)))),
        ("long name", wrap(format!("<{}>", "x".repeat(2 * mib)))),
        ("categories", wrap("<category>c</category>".repeat(mib / 16))),
        ("entities", wrap(format!("<description>{}</description>", "&#65;&amp;&x;".repeat(mib / 8)))),
        ("no end", wrap("<a b='".repeat(mib / 4))),
        ("comments", wrap("<!--".repeat(mib / 4))),
        ("sections", wrap("<![CDATA[".repeat(mib / 8))),
        ("declared", wrap("<!ENTITY [".repeat(mib / 8))),
        ("nulls", wrap("\0".repeat(2 * mib))),
    ];
    for (name, text) in corpus {
        let began = Instant::now();
        let read = read(text.as_bytes(), None, &base());
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
        if let Ok(feed) = read {
            for item in &feed.items {
                let texts =
                    item.title.chars().count() + item.summary.as_deref().unwrap_or_default().chars().count();
                assert!(
                    texts <= TITLE_CHARS_MAX + SUMMARY_CHARS_MAX && item.categories.len() <= CATEGORIES_MAX,
                    "{name}"
                );
                assert!(item.key.len() <= 4 * ADDRESS_BYTES_MAX, "{name}");
            }
        }
    }
    let many = "<rss><channel>".to_owned() + &"<item><title>x</title></item>".repeat(20_000);
    assert_eq!(feed(&many).items.len(), ITEMS_MAX);
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1\",\"title\":\"x\",\"items\":[{}]}}",
        vec!["{\"id\":\"1\",\"title\":\"x\"}"; 20_000].join(",")
    );
    assert_eq!(feed(&json).items.len(), ITEMS_MAX);
    let deep = format!("{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":{}", "[".repeat(100_000));
    assert!(read(deep.as_bytes(), None, &base()).is_err());
}

#[test]
fn encodings_are_read_as_they_are_named() {
    let text =
        b"<?xml version='1.0' encoding='iso-8859-1'?><rss><channel><title>Caf\xe9</title></channel></rss>";
    assert_eq!(read(text, Some("text/xml"), &base()).unwrap().title.as_deref(), Some("Café"));
    let utf_16: Vec<u8> = "\u{feff}<rss><channel><title>Ж</title></channel></rss>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(read(&utf_16, None, &base()).unwrap().title.as_deref(), Some("Ж"));
    let wrong = b"<?xml version='1.0' encoding='utf-8'?><rss><channel><title>Caf\xe9</title></channel></rss>";
    assert_eq!(read(wrong, None, &base()).unwrap().title.as_deref(), Some("Caf\u{fffd}"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Bytes from outside never cause a panic, also those that come near to what is read.
    #[test]
    fn nothing_that_is_sent_ends_the_reader(
        pieces in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(vec![
                    "<rss>", "<channel>", "<item>", "</item>", "<title>", "</title>", "<entry>", "<feed>", "<author>", "<name>",
                    "<![CDATA[", "]]>", "<!--", "-->", "<!", "<?xml", "?>", "<link href=", "'", "\"", "=", ">", "<", "</", "/>", "&", "&#x",
                    ";", "ä", "\u{1f600}", "<pubDate>", "13 Dec 2003", "-", ":", "+", "<meta property=og:title content=", "<script>",
                ])
                .prop_map(str::to_owned),
                "\\PC{0,8}",
            ],
            0..40,
        )
    ) {
        let text = pieces.concat();
        for content_type in [None, Some("text/xml; charset=utf-16"), Some("x; charset=shift_jis")] {
            let _ = read(text.as_bytes(), content_type, &base());
            let _ = read(format!("<rss><channel><item>{text}").as_bytes(), content_type, &base());
            let _ = head::read(text.as_bytes(), content_type, &base());
        }
        let _ = date::read(&text);
        let short = markup::plain(&text, 5);
        proptest::prop_assert!(short.chars().count() <= 5);
    }
}
