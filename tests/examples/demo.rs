//! The page at `/` of the example server, in a real browser: each story is clicked through.
//!
//! `SCREENSHOT=docs/figures/page.png cargo test --all-features --test examples twenty_requests` makes the
//! picture of the README. The browser needs a Chinese font, for one button.

use serde_json::{Value, json};

use crate::devtools::Page;
use crate::support::process::Program;

/// A server of its own, and a visitor who has opened its page.
struct Visit {
    server: Program,
    page: Page,
}

impl Visit {
    async fn start() -> Self {
        let server = Program::start("axum", &[("RUST_LOG", "off")]);
        let mut page = Page::open(&format!("{}/", server.base)).await;
        page.wait("document.querySelector('#language')?.innerText.length > 0")
            .await;
        if page.value("document.documentElement.lang").await != "en" {
            page.click("language").await;
        }
        let mut visit = Self { server, page };
        visit.story("The page opens", (1, 1, 1, 2)).await;
        visit
    }

    /// Waits until the newest story is this one, and is over.
    async fn story(&mut self, title: &str, counts: (u32, u32, u32, u32)) {
        let (requests, answered, logins, sent) = counts;
        let summary = format!(
            "requests {requests} · answered {answered} · logins {logins} · sent {sent} times"
        );
        self.page
            .shows("#timeline > li:first-child h3", title)
            .await;
        self.page
            .wait(
                "!document.querySelector('#timeline > li:first-child').innerText.includes('under way')",
            )
            .await;
        let shown = "document.querySelector('#timeline > li:first-child .summary').innerText";
        assert_eq!(self.page.value(shown).await, summary);
    }

    /// Waits until the newest story has exactly these rows, each beginning like this.
    async fn rows(&mut self, rows: &[&str]) {
        let begun = format!(
            "(rows => {{
                const shown = [...document.querySelectorAll('#timeline > li:first-child ol li')]
                    .map(row => [...row.children].map(part => part.innerText).filter(Boolean).join(' | '))
                return shown.length === rows.length && rows.every((row, index) => shown[index].startsWith(row))
            }})({})",
            json!(rows)
        );
        self.page.wait(&begun).await;
    }

    async fn live(&mut self, sessions: usize) {
        let count = format!("document.querySelectorAll('#live code').length === {sessions}");
        self.page.wait(&count).await;
    }

    /// No script has failed, and the page has asked for nothing that its policy forbids.
    fn end(self) {
        assert_eq!(self.page.faults, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_session_that_idled_out_costs_one_login_that_the_page_shows() {
    let mut visit = Visit::start().await;
    visit.live(1).await;
    visit.page.click("idle").await;
    visit
        .page
        .shows("#timeline .lever", "idle for too long")
        .await;
    visit.page.shows("#live", "none").await;
    visit.page.click("me").await;
    visit.story("Send a request", (1, 1, 1, 3)).await;
    visit
        .rows(&[
            // Another node may have seen a use of it, so that the store is asked.
            "GET /me | 401 session_idle_expired → login | found in: store",
            "wx.login → POST /login | 200",
            "GET /me (again) | 200 | found in: ",
        ])
        .await;
    visit.live(1).await;
    visit.page.shows("#state", "Logins at WeChat: 2").await;
    visit.page.shows("#who", "Logged in: o").await;
    visit.end();
}

#[tokio::test]
async fn twenty_requests_at_the_end_of_a_session_cost_one_login_that_the_page_shows() {
    let mut visit = Visit::start().await;
    visit.page.click("twenty").await;
    visit.story("20 requests at once", (20, 20, 0, 20)).await;
    visit
        .rows(&["20 × GET /me | 200 | found in: hit table 20"])
        .await;
    visit.page.click("idle").await;
    visit.page.shows("#live", "none").await;
    visit.page.click("twenty").await;
    visit.story("20 requests at once", (20, 20, 1, 41)).await;
    visit
        .page
        .shows(
            "#timeline > li:first-child .refused",
            "20 × GET /me\n401 session_idle_expired → login",
        )
        .await;
    visit
        .page
        .shows(
            "#timeline > li:first-child .passed",
            "20 × GET /me (again)\n200\nfound in: ",
        )
        .await;
    visit.page.shows("#state", "Logins at WeChat: 2").await;
    visit.page.shows("#live", "idles out in 132 min").await;
    if let Some(file) = std::env::var_os("SCREENSHOT") {
        resize(&mut visit.page, 1000, 1010).await;
        visit.page.picture(file.as_ref()).await;
    }
    visit.end();
}

#[tokio::test]
async fn whoever_logs_out_everywhere_on_the_page_stays_out_until_logging_in() {
    let mut visit = Visit::start().await;
    visit.page.click("second").await;
    visit.live(2).await;
    visit.page.click("everywhere").await;
    visit.story("Log out everywhere", (1, 1, 0, 2)).await;
    visit.live(0).await;
    visit.page.shows("#who", "Not logged in").await;

    visit.page.click("twenty").await;
    visit.story("20 requests at once", (20, 0, 0, 0)).await;
    visit.rows(&["20 × shows an error: logged_out"]).await;
    visit.page.shows("#said", "Nothing logs in by itself").await;

    visit.page.click("log_in").await;
    visit.story("Log in", (1, 1, 1, 2)).await;
    visit.live(1).await;
    visit.page.shows("#who", "Logged in: o").await;
    visit.end();
}

#[tokio::test]
async fn a_session_that_was_kicked_out_is_shown_with_its_reason() {
    let mut visit = Visit::start().await;
    visit.page.click("kick").await;
    visit
        .page
        .shows("#timeline .lever", "An administrator")
        .await;
    visit.live(0).await;
    visit.page.click("me").await;
    visit.story("Send a request", (1, 1, 1, 3)).await;
    visit
        .page
        .shows("#timeline .refused", "401 session_kicked_out → login")
        .await;
    visit.live(1).await;
    visit.end();
}

#[tokio::test]
async fn with_the_store_stopped_the_page_shows_who_passes_and_that_nobody_logs_in() {
    let mut visit = Visit::start().await;
    visit.page.click("store").await;
    visit.page.shows("#state", "Store: stopped").await;
    visit.page.shows("#live", "The store does not tell").await;
    visit.page.click("twenty").await;
    visit.story("20 requests at once", (20, 20, 0, 20)).await;

    visit.page.click("minute").await;
    visit.page.click("me").await;
    visit.story("Send a request", (1, 0, 0, 2)).await;
    visit
        .rows(&[
            "GET /me | 503 store_unavailable → retry | found in: store",
            "waits 1 s",
            "GET /me (again) | 503 store_unavailable → retry | found in: store",
            "shows an error: store_unavailable",
        ])
        .await;
    visit.page.shows("#said", "Try again later").await;
    visit.page.shows("#who", "Logged in: o").await;
    visit.page.shows("#state", "Logins at WeChat: 1").await;

    visit.page.click("store").await;
    visit.page.shows("#state", "Store: works").await;
    // The page looks at the live sessions each second: when it sees them, the node has found the store.
    visit.live(1).await;
    visit.page.click("me").await;
    visit.story("Send a request", (1, 1, 0, 1)).await;
    visit.end();
}

#[tokio::test]
async fn while_wechat_is_busy_the_page_shows_that_sessions_go_on_and_a_login_gives_up() {
    let mut visit = Visit::start().await;
    visit.page.click("wechat").await;
    visit.page.shows("#state", "WeChat: busy").await;
    visit.page.click("me").await;
    visit.story("Send a request", (1, 1, 0, 1)).await;

    visit.page.click("idle").await;
    visit.page.shows("#live", "none").await;
    visit.page.click("twenty").await;
    visit.page.shows("#said", "WeChat is busy").await;
    visit.story("20 requests at once", (20, 0, 0, 23)).await;
    visit
        .page
        .shows("#timeline", "3 × wx.login → POST /login")
        .await;

    visit.page.click("wechat").await;
    visit.page.shows("#state", "WeChat: works").await;
    visit.end();
}

#[tokio::test]
async fn the_page_shows_the_requests_of_others_and_no_token() {
    let mut visit = Visit::start().await;
    let token = visit.server.log_in("bob:1").await;
    visit.server.send("GET", "/me", &token).await;
    visit.server.send("GET", "/me", "nonsense").await;
    visit.server.send("GET", "/nowhere", &token).await;
    visit
        .rows(&[
            "POST /login | 200",
            "GET /me | 200 | found in: hit table",
            "GET /me | 401 session_malformed → login | found in: the request itself",
        ])
        .await;
    visit.live(2).await;
    let verdicts =
        "[...document.querySelectorAll('#verdicts tr')].map(row => row.innerText).join('\\n')";
    let verdicts = visit.page.value(verdicts).await;
    let verdicts: Vec<_> = verdicts.as_str().unwrap().lines().collect();
    assert_eq!(
        verdicts[1..],
        [
            "passed\t2\t0\t0\t0",
            "refused\t0\t0\t0\t1",
            "cannot tell (503)\t0\t0\t0\t0"
        ]
    );
    let told = visit.server.send("GET", "/demo/requests/0", "").await.1;
    assert!(!told.to_string().contains("wxs_"), "{told}");
    let page = visit.page.value("document.documentElement.outerHTML").await;
    assert!(!page.as_str().unwrap().contains("wxs_"));
    visit.end();
}

#[tokio::test]
async fn the_page_speaks_chinese_and_english() {
    let mut visit = Visit::start().await;
    let ids = "JSON.stringify([...document.querySelectorAll('button, h1, h2, h3, th, .quiet, .summary, .chip')]
        .map(each => each.innerText).filter(text => /[一-龥]/.test(text)))";
    assert_eq!(visit.page.value(ids).await, r#"["中文"]"#);
    visit.page.click("language").await;
    visit.page.shows("#twenty", "同时发 20 个请求").await;
    visit
        .page
        .shows("#timeline .summary", "请求 1 · 得到回答 1 · 登录 1")
        .await;
    assert_eq!(
        visit.page.value("document.documentElement.lang").await,
        "zh-CN"
    );
    let english =
        "JSON.stringify([...document.querySelectorAll('button, h2, h3, th, .summary, .chip')]
        .map(each => each.innerText).filter(text => text && !/[一-龥]/.test(text)))";
    assert_eq!(visit.page.value(english).await, r#"["English"]"#);
    visit.end();
}

/// Sets the size of the window.
async fn resize(page: &mut Page, width: u32, height: u32) {
    let size =
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
    page.command("Emulation.setDeviceMetricsOverride", size)
        .await;
}

#[tokio::test]
async fn at_the_width_of_a_phone_nothing_of_the_page_is_cut_off() {
    let mut visit = Visit::start().await;
    resize(&mut visit.page, 390, 844).await;
    fits(&mut visit.page, 390).await;
    visit.page.click("second").await;
    visit.page.click("idle").await;
    visit.page.shows("#live", "none").await;
    visit.page.click("twenty").await;
    visit.story("20 requests at once", (20, 20, 1, 41)).await;
    for language in ["en", "zh-CN"] {
        let shown = visit.page.value("document.documentElement.lang").await;
        assert_eq!(shown, language);
        fits(&mut visit.page, 390).await;
        visit.page.click("language").await;
    }
    visit.end();
}

/// Nothing is wider than the window or than what is around it.
async fn fits(page: &mut Page, width: u32) {
    let wide = "JSON.stringify([document.documentElement.scrollWidth,
        ...[...document.querySelectorAll('body *')].filter(each => {
            const { right, left } = each.getBoundingClientRect()
            const isCut = each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1
            return right > document.documentElement.clientWidth || left < 0 || isCut
        }).map(each => each.outerHTML.slice(0, 80))])";
    assert_eq!(page.value(wide).await, format!("[{width}]"));
}

/// What is shown with too little contrast: less than the 4.5 of WCAG 2 (level AA).
const FAINT: &str = "(() => {
    const parts = color => color.match(/[\\d.]+/g).map(Number)
    const light = color => {
        const [red, green, blue] = parts(color).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const ground = element => {
        const { backgroundColor } = getComputedStyle(element)
        const isClear = parts(backgroundColor)[3] === 0
        return isClear && element.parentElement ? ground(element.parentElement) : backgroundColor
    }
    const contrast = (one, other) => {
        const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b)
        return (bright + 0.05) / (dark + 0.05)
    }
    const texts = [...document.querySelectorAll('body *')].filter(each => each.checkVisibility() &&
        [...each.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()))
    const faint = texts.map(each => [contrast(getComputedStyle(each).color, ground(each)), each.innerText])
        .filter(([contrast]) => contrast < 4.5)
    return JSON.stringify({ seen: texts.length > 30, faint, ground: ground(document.querySelector('.server')) })
})()";

#[tokio::test]
async fn the_page_is_readable_in_light_and_in_dark_mode() {
    let mut visit = Visit::start().await;
    visit.page.click("store").await;
    visit.page.click("wechat").await;
    visit.page.shows("#state", "WeChat: busy").await;
    visit.page.click("kick").await;
    visit.page.click("minute").await;
    visit.page.click("me").await;
    visit.page.shows("#said", "Try again later").await;
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        visit
            .page
            .command("Emulation.setEmulatedMedia", feature)
            .await;
        let seen = visit.page.value(FAINT).await;
        let mut seen: Value = serde_json::from_str(seen.as_str().unwrap()).unwrap();
        assert_eq!(
            (&seen["seen"], &seen["faint"]),
            (&json!(true), &json!([])),
            "{scheme}"
        );
        grounds.push(seen["ground"].take());
    }
    assert_eq!(grounds, ["rgb(255, 255, 255)", "rgb(28, 30, 33)"]);
    visit.end();
}

#[tokio::test]
async fn without_the_demo_the_root_says_what_this_is() {
    let fake = tower_wx_session::test_util::FakeWeChat::start()
        .await
        .unwrap();
    let server = Program::start(
        "axum",
        &[
            ("WX_APPID", "wx-of-mine"),
            ("WX_SECRET", "secret-of-mine"),
            ("WX_API_BASE", fake.base_url()),
        ],
    );
    let answer = server.client.get(format!("{}/", server.base)).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("tower-wx-session") && text.contains("README"),
        "{text}"
    );
    for path in ["/demo/page.js", "/demo/requests/0", "/demo/state"] {
        let answer = server
            .client
            .get(format!("{}{path}", server.base))
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn no_page_of_anybody_else_acts_on_the_demo() {
    let server = Program::start("axum", &[]);
    let own = server.base.clone();
    for (name, value, status) in [
        ("origin", &*own, 204),
        ("origin", "https://shop.example.com", 403),
        ("origin", "null", 403),
        ("host", "localhost:3000", 204),
        ("host", "[::1]:3000", 204),
        ("host", "shop.example.com", 403),
        ("host", "127.0.0.1.example.com", 403),
    ] {
        let request = server.client.post(format!("{own}/demo/idle_out"));
        let answer = request.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
}
