//! A page in a real browser: what a visitor does to it, and what is shown then.
//!
//! Over the DevTools protocol (`Page`, `Runtime`, `Input`, `Emulation`).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::chromium::Chromium;

/// The longest that anything takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A tab that is ended with the test.
pub struct Page {
    _browser: Chromium,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    commands: u64,
    /// What the page's own scripts did wrong, and what its policy forbade.
    pub faults: Vec<Value>,
}

impl Page {
    pub async fn open(url: &str) -> Self {
        let browser = Chromium::with_devtools("about:blank");
        let address = timeout(PATIENCE, tab(&browser)).await;
        let address = address.expect("the browser offers no DevTools");
        let (socket, _) = connect_async(address).await.unwrap();
        let mut page = Self {
            _browser: browser,
            socket,
            commands: 0,
            faults: Vec::new(),
        };
        page.command("Runtime.enable", json!({})).await;
        page.command("Log.enable", json!({})).await;
        page.command("Page.enable", json!({})).await;
        page.command("Page.navigate", json!({ "url": url })).await;
        page.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
        page
    }

    pub async fn command(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let id = self.commands;
        let command = json!({ "id": id, "method": method, "params": params });
        let sent = Message::text(command.to_string());
        self.socket.send(sent).await.unwrap();
        timeout(PATIENCE, self.answer(id))
            .await
            .unwrap_or_else(|_| panic!("{method} is not answered: {params}"))
    }

    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.socket.next().await.expect("the browser is there");
            let Message::Text(text) = message.unwrap() else {
                continue;
            };
            let mut heard: Value = serde_json::from_str(&text).unwrap();
            if heard["id"] == id {
                assert_eq!(heard["error"], Value::Null);
                return heard["result"].take();
            }
            self.hear(&heard);
        }
    }

    fn hear(&mut self, event: &Value) {
        let entry = &event["params"]["entry"];
        let is_fault = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            // An answer that is not 200 is in the log, too, by the source `network`.
            Some("Log.entryAdded") => entry["level"] == "error" && entry["source"] != "network",
            _ => false,
        };
        if is_fault {
            self.faults.push(event["params"].clone());
        }
    }

    /// The value of an expression; it waits for a promise.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut done = self.command("Runtime.evaluate", params).await;
        assert_eq!(done["exceptionDetails"], Value::Null, "{expression}");
        done["result"]["value"].take()
    }

    /// Waits until a condition holds.
    pub async fn wait(&mut self, condition: &str) {
        let begun = tokio::time::Instant::now();
        while self.value(condition).await != Value::Bool(true) {
            if begun.elapsed() > PATIENCE {
                let shown = self.value("document.body.innerText").await;
                panic!("not shown: {condition}\n{}", shown.as_str().unwrap());
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until an element shows this text.
    pub async fn shows(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        let found = format!(
            "[...document.querySelectorAll({selector})].some(each => each.innerText.includes({text}))"
        );
        self.wait(&found).await;
    }

    /// Presses the mouse on an element, which has to be there and not covered.
    pub async fn click(&mut self, id: &str) {
        self.wait(&format!(
            "document.querySelector('#{id}:enabled')?.checkVisibility() === true"
        ))
        .await;
        let place = format!(
            "(() => {{
                const element = document.getElementById('{id}')
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }})
                const {{ x, y, width, height }} = element.getBoundingClientRect()
                const [middle, centre] = [x + width / 2, y + height / 2]
                const isFree = document.elementFromPoint(middle, centre) === element
                return [middle, centre, isFree]
            }})()"
        );
        let place = self.value(&place).await;
        assert_eq!(place[2], true, "{id} is covered");
        for event in ["mousePressed", "mouseReleased"] {
            let press = json!({ "type": event, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.command("Input.dispatchMouseEvent", press).await;
        }
    }

    /// Writes a picture of the whole page, as PNG.
    pub async fn picture(&mut self, file: &Path) {
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.command("Page.captureScreenshot", whole).await;
        let mut decode = Command::new("base64");
        decode.arg("-d").stdin(Stdio::piped());
        let mut decode = decode.stdout(File::create(file).unwrap()).spawn().unwrap();
        let text = picture["data"].as_str().unwrap();
        let mut stdin = decode.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        assert!(decode.wait().unwrap().success());
    }
}

/// Where the browser's only tab takes commands.
async fn tab(browser: &Chromium) -> String {
    let client = Client::new();
    loop {
        if let Some(port) = browser.devtools_port() {
            let list = client.get(format!("http://127.0.0.1:{port}/json/list"));
            if let Ok(list) = list.send().await {
                let list: Vec<Value> = list.json().await.unwrap();
                let tab = list.iter().find(|target| target["type"] == "page");
                if let Some(address) = tab.and_then(|tab| tab["webSocketDebuggerUrl"].as_str()) {
                    return address.to_owned();
                }
            }
        }
        sleep(LOOK_AGAIN).await;
    }
}
