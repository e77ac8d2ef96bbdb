//! The guide's table of error codes, played row by row.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::platform::{
    Baidu, DingTalk, Douyin, DouyinMiniGame, DouyinServiceProvider, Kuaishou, KuaishouMiniGame,
    KwaiGame, Lark, Qq,
};
use tower_wx_session::test_util::{
    FakeBaidu, FakeDingTalk, FakeDouyin, FakeDouyinMiniGame, FakeDouyinServiceProvider,
    FakeKuaishou, FakeKuaishouMiniGame, FakeKwaiGame, FakeLark, FakeQq, FakeWeChat, Fault,
};
use tower_wx_session::wechat::WeChat;

use super::sister::{APPID, Fake, Provider, a_fake, exchange, failure, start};

a_fake!(FakeWeChat);

impl Provider for WeChat {
    fn at(base_url: &str, secret: &str) -> Self {
        Self::new(APPID, secret).with_base_url(base_url).unwrap()
    }
}

struct Row {
    platform: &'static str,
    code: &'static str,
    kind: ExchangeErrorKind,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("../../src/guide/platforms.md").lines();
    let table = lines.skip_while(|line| *line != "| platform | code | meaning | kind |");
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(row).collect()
}

fn row(line: &'static str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [platform, code, _, kind] = cells[..] else {
        panic!("{line}");
    };
    Row {
        platform,
        code: code.trim_matches('`'),
        kind: kind_of(kind),
    }
}

fn kind_of(text: &str) -> ExchangeErrorKind {
    let limited = text.strip_prefix("`RateLimited` ");
    if let Some(seconds) = limited.and_then(|text| text.strip_suffix(" s")) {
        return RateLimited(Duration::from_secs(seconds.parse().unwrap()));
    }
    let kinds = [
        CodeRejected,
        Unavailable,
        UserBlocked,
        Misconfigured,
        BadRequest,
    ];
    let kind = kinds.into_iter().find(|kind| text == format!("`{kind:?}`"));
    kind.unwrap_or_else(|| panic!("no kind: {text}"))
}

/// What the codes of one platform are at its provider.
async fn play<F: Fake, P: Provider>(rows: &[Row]) {
    let (fake, provider) = start::<F, P>().await;
    for (number, Row { code, kind, .. }) in rows.iter().enumerate() {
        fake.fail_all(Some(match code.parse() {
            Ok(number) => Fault::Errcode(number),
            Err(_) => Fault::Word(code),
        }));
        let login = format!("alice:canary-code-{number}");
        let (seen, cause) = failure(exchange(&provider, &login).await, &login);
        assert_eq!(seen, *kind, "{cause}");
        assert!(cause.contains(&format!(" {code}: ")), "{cause}");
    }
}

async fn play_all(rows: &[Row]) {
    match rows[0].platform {
        "WeChat" => play::<FakeWeChat, WeChat>(rows).await,
        "QQ" => play::<FakeQq, Qq>(rows).await,
        "Douyin" => play::<FakeDouyin, Douyin>(rows).await,
        "DouyinMiniGame" => play::<FakeDouyinMiniGame, DouyinMiniGame>(rows).await,
        "DouyinServiceProvider" => {
            play::<FakeDouyinServiceProvider, DouyinServiceProvider>(rows).await;
        }
        "Baidu" => play::<FakeBaidu, Baidu>(rows).await,
        "Kuaishou" => play::<FakeKuaishou, Kuaishou>(rows).await,
        "KuaishouMiniGame" => play::<FakeKuaishouMiniGame, KuaishouMiniGame>(rows).await,
        "KwaiGame" => play::<FakeKwaiGame, KwaiGame>(rows).await,
        "Lark" => play::<FakeLark, Lark>(rows).await,
        "DingTalk" => play::<FakeDingTalk, DingTalk>(rows).await,
        "Alipay" => {
            for Row { code, kind, .. } in rows {
                assert_eq!(super::alipay::kind_of(code).await, *kind, "{code}");
            }
        }
        other => panic!("{other} is in the table, and nobody plays it"),
    }
}

#[tokio::test]
async fn every_code_of_the_table_has_the_kind_that_the_table_says() {
    let rows = rows();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for rows in rows.chunk_by(|one, next| one.platform == next.platform) {
        play_all(rows).await;
    }
}
