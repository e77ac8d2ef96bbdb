//! Behind a real nginx.

use crate::patient::{Client, Request};
use crate::site::{Site, lost};
use crate::support::nginx::Nginx;

/// A location that passes on to a site.
fn location(name: &str, settings: &str) -> String {
    format!("location /{name}/ {{ {settings} proxy_pass http://{name}/; }}\n")
}

const KEEP_ALIVE: &str = "proxy_http_version 1.1; proxy_set_header Connection '';";

fn nginx(sites: &[&Site]) -> Nginx {
    let servers = |count: usize| -> String {
        let sites = sites.iter().take(count);
        sites
            .map(|site| format!("server 127.0.0.1:{};", site.port()))
            .collect()
    };
    let unbuffered = format!("{KEEP_ALIVE} proxy_request_buffering off;");
    let (one, all) = (servers(1), servers(sites.len()));
    Nginx::start(&format!(
        "client_max_body_size 64m;
        upstream default {{ {one} }}
        upstream keepalive {{ {one} keepalive 4; }}
        upstream unbuffered {{ {one} keepalive 4; }}
        upstream all {{ {all} }}
        server {{ listen 127.0.0.1:PORT; {} {} {} {} }}",
        location("default", ""),
        location("keepalive", KEEP_ALIVE),
        location("unbuffered", &unbuffered),
        location("all", ""),
    ))
}

async fn none_is_lost(name: &str, keeps_alive: &[bool]) {
    let site = Site::start().await;
    let nginx = nginx(&[&site]);
    for &keeps_alive in keeps_alive {
        let requests = site.refused(&format!("/{name}"));
        let count = requests.len();
        let lost = lost(nginx.port, requests, keeps_alive).await;
        assert_eq!(lost, 0, "of {count}: {name}, kept alive: {keeps_alive}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_with_its_default_settings_passes_every_refusal_on() {
    none_is_lost("default", &[false, true]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_with_connections_that_are_kept_passes_every_refusal_on() {
    none_is_lost("keepalive", &[false, true]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_that_passes_bodies_on_as_they_come_passes_every_refusal_on() {
    // nginx itself ends a client's connection on which it answered before the body was there.
    none_is_lost("unbuffered", &[false]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_uploads_make_nginx_take_no_node_for_dead() {
    let sites = [Site::start().await, Site::start().await];
    let nginx = nginx(&[&sites[0], &sites[1]]);
    let uploads = (0..6).map(|_| (Request::post("/all/upload", 2_000_000), "session_missing"));
    let lost = lost(nginx.port, uploads.collect(), false).await;
    let port = nginx.port;
    let pages = tokio::task::spawn_blocking(move || {
        let page = || Client::new(port).send(&Request::get("/all/page"));
        (0..20)
            .filter(|_| page().is_ok_and(|page| page.status == 200))
            .count()
    });
    assert_eq!((lost, pages.await.unwrap()), (0, 20), "{}", nginx.log());
}
