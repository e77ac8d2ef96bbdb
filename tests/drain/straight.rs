//! Without a proxy.

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use crate::site::{Site, lost};
use crate::support::world::SECOND;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_everything_before_it_reads_sees_every_refusal() {
    let site = Site::start().await;
    for keeps_alive in [false, true] {
        let requests = site.refused("");
        let count = requests.len();
        let lost = lost(site.port(), requests, keeps_alive).await;
        assert_eq!(lost, 0, "of {count}, kept alive: {keeps_alive}");
    }
}

/// Posts through an agent that keeps its one connection, and gets a page after each post; prints
/// how many posts and how many pages were not answered as expected.
const AGENT: &str = r#"
const http = require('http');
const [, base, path, status, length, times] = process.argv;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const send = (method, path, status, body) => new Promise((resolve) => {
    const request = http.request(base + path, { agent, method }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode == status));
    });
    request.on('error', () => resolve(false));
    request.end(body);
});
(async () => {
    const lost = [0, 0];
    for (let i = 0; i < times; i += 1) {
        lost[0] += await send('POST', path, status, Buffer.alloc(+length, 'x')) ? 0 : 1;
        lost[1] += await send('GET', '/page', 200) ? 0 : 1;
    }
    console.log(JSON.stringify(lost));
    process.exit(0);
})();
"#;

async fn lost_by_an_agent(site: &Site, path: &str, status: u16, length: usize) -> [usize; 2] {
    let (base, status, length) = (site.server.url(""), status.to_string(), length.to_string());
    let mut node = Command::new("node");
    node.args(["-e", AGENT, "--", &base, path, &status, &length, "10"]);
    let output = node.stderr(Stdio::inherit()).output().await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_nodes_keep_alive_agent_is_answered() {
    let site = Site::start().await;
    for length in [20_000, 64_000, 300_000, 2_000_000] {
        let lost = lost_by_an_agent(&site, "/upload", 401, length).await;
        assert_eq!(lost, [0, 0], "of 10 with {length} bytes");
    }
    let lost = lost_by_an_agent(&site, "/login", 400, 300_000).await;
    assert_eq!(lost, [0, 0], "of 10 logins");
}

/// Where the body is not read to its end, the connection ends: the next request must not be on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_beyond_the_limits_costs_nodes_agent_no_other_request() {
    let site = Site::start_with(|layer| layer.with_drain_limits(SECOND, 10_000)).await;
    for length in [20_000, 300_000, 2_000_000] {
        let [_, pages] = lost_by_an_agent(&site, "/upload", 401, length).await;
        assert_eq!(pages, 0, "of 10 after {length} bytes");
    }
}

/// What curl says of its exit, the status and the connections of some uploads.
async fn curl(site: &Site, path: &str, length: usize, arguments: &[&str]) -> String {
    let file = std::env::temp_dir().join(format!("{}-{length}", std::process::id()));
    fs::write(&file, vec![b'x'; length]).unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "20",
    ])
    .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
    .args(arguments)
    .arg("--data-binary")
    .arg(format!("@{}", file.display()))
    .arg(site.server.url(path));
    let output = curl.output().await.unwrap();
    fs::remove_file(file).unwrap();
    let exit = output.status.code().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    format!("{exit} {text}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sees_every_refusal_over_any_version_of_http() {
    let site = Site::start().await;
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for expect in ["Expect:", "Expect: 100-continue"] {
            for length in [20_000, 300_000, 2_000_000] {
                let arguments = [version, "--header", expect];
                let context = format!("{version}, {expect}, {length} bytes");
                for _ in 0..2 {
                    let upload = curl(&site, "/upload", length, &arguments).await;
                    assert_eq!(upload, "0 401", "{context}");
                }
                let login = curl(&site, "/login", length, &arguments).await;
                assert_eq!(login, "0 400", "{context}");
            }
        }
    }
}
