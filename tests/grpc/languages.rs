//! Refusals as clients in other languages understand them: Google's library in Python, and Connect's
//! in JavaScript, over gRPC, grpc-web and its own protocol. `./test` installs both.

use serde_json::Value;
use tokio::process::Command;

use crate::forms::{FORMS, layers, world_with};
use crate::support::case::bearer;
use crate::support::grpc::{self, Accounts};
use crate::support::grpc_golden::{Golden, LAYER};
use crate::support::http::Server;
use crate::support::languages::{self, KINDS, node, passed, python, refused};
use crate::support::nodes::log_in;
use crate::support::world::World;

/// The server of a case, which a client is to call.
struct Target {
    /// What the client is to be refused with, if it is.
    row: Option<&'static Golden>,
    form: &'static str,
    order: Value,
    _running: (World, Server),
}

impl Target {
    /// A server of gRPC's that refuses.
    async fn grpc(row: &'static Golden) -> Self {
        let (world, headers) = world_with(row.case).await;
        let server = grpc::start(world.layer(), &Accounts::default()).await;
        Self {
            row: Some(row),
            form: FORMS[0],
            order: languages::target(&server, &headers),
            _running: (world, server),
        }
    }

    /// A server of gRPC's that lets the client pass.
    async fn passing() -> Self {
        let world = World::new().await;
        let headers = bearer(&log_in(&world.sessions).await);
        let server = grpc::start(world.layer(), &Accounts::default()).await;
        Self {
            row: None,
            form: FORMS[0],
            order: languages::target(&server, &headers),
            _running: (world, server),
        }
    }

    /// Any server that refuses, in one of the forms that a layer can be configured with.
    async fn any(row: &'static Golden, form: usize) -> Self {
        let (world, headers) = world_with(row.case).await;
        let layer = layers(&world.sessions)[form].clone();
        let server = Server::start(world.behind(layer)).await;
        Self {
            row: Some(row),
            form: FORMS[form],
            order: languages::target(&server, &headers),
            _running: (world, server),
        }
    }

    /// What a client should understand of a kind of call.
    fn expected(&self, kind: &str) -> Value {
        self.row.map_or_else(|| passed(kind), refused)
    }

    fn context(&self) -> String {
        format!("{:?}, {}", self.row, self.form)
    }
}

/// Each refusal, and a live session, in gRPC.
async fn grpc_targets() -> Vec<Target> {
    let mut targets = vec![Target::passing().await];
    for row in LAYER {
        targets.push(Target::grpc(row).await);
    }
    targets
}

/// Each refusal, in each form.
async fn any_targets() -> Vec<Target> {
    let mut targets = Vec::new();
    for row in LAYER {
        for form in 0..FORMS.len() {
            targets.push(Target::any(row, form).await);
        }
    }
    targets
}

/// What the client understood of each.
async fn answers_of(client: Command, transports: &[&str], targets: &[Target]) -> Vec<Value> {
    let orders: Vec<_> = targets.iter().map(|target| target.order.clone()).collect();
    languages::answers_of(client, transports, &orders).await
}

/// Has the client of Connect's call them, over each of the transports with each kind of call.
async fn assert_connect_understands(targets: &[Target], transports: &[(&'static str, &[&str])]) {
    let names: Vec<_> = transports.iter().map(|(name, _)| *name).collect();
    let answers = answers_of(node(), &names, targets).await;
    for (target, answer) in targets.iter().zip(answers) {
        for (transport, kinds) in transports {
            for kind in *kinds {
                let context = format!("{}, {transport}, {kind}", target.context());
                let answer = &answer[transport][kind];
                assert_eq!(*answer, target.expected(kind), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn pythons_grpc_library_understands_every_refusal() {
    let targets = grpc_targets().await;
    let answers = answers_of(python(), &[], &targets).await;
    for (target, answer) in targets.iter().zip(answers) {
        for kind in KINDS {
            let context = format!("{}, {kind}", target.context());
            assert_eq!(answer[kind], target.expected(kind), "{context}");
        }
        assert_eq!(answer["health"], "SERVING", "{}", target.context());
    }
}

#[tokio::test]
async fn javascripts_connect_library_understands_every_refusal_over_grpc_and_grpc_web() {
    let transports: [(_, &[_]); 3] = [
        ("grpc", &KINDS),
        ("grpc-web", &KINDS),
        ("grpc-web by fetch", &KINDS[..2]),
    ];
    assert_connect_understands(&grpc_targets().await, &transports).await;
}

#[tokio::test]
async fn javascripts_connect_library_understands_every_refusal_over_its_own_protocol() {
    let transports: [(_, &[_]); 6] = [
        ("connect over HTTP/1.1", &KINDS[..2]),
        ("connect over HTTP/2", &KINDS),
        ("connect in JSON over HTTP/2", &KINDS),
        ("connect by fetch", &KINDS[..2]),
        ("connect by fetch, in binary", &KINDS[..2]),
        ("connect by fetch, by GET", &KINDS[..2]),
    ];
    assert_connect_understands(&any_targets().await, &transports).await;
}
