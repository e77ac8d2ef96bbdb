use crate::accounts;
use crate::support::case::bearer;
use crate::support::languages::{KINDS, answers_of, node, passed, target};
use crate::support::nodes::log_in;
use crate::support::world::World;

#[tokio::test]
async fn a_live_session_reaches_the_handler_over_every_transport() {
    let transports: [(_, &[_]); 9] = [
        ("grpc", &KINDS),
        ("grpc-web", &KINDS),
        ("grpc-web by fetch", &KINDS[..2]),
        ("connect over HTTP/1.1", &KINDS[..2]),
        ("connect over HTTP/2", &KINDS),
        ("connect in JSON over HTTP/2", &KINDS),
        ("connect by fetch", &KINDS[..2]),
        ("connect by fetch, in binary", &KINDS[..2]),
        ("connect by fetch, by GET", &KINDS[..2]),
    ];
    let world = World::new().await;
    let server = accounts::start(&world, world.layer()).await;
    let target = target(&server, &bearer(&log_in(&world.sessions).await));
    let names = transports.map(|(name, _)| name);
    let answers = answers_of(node(), &names, &[target]).await;
    for (transport, kinds) in transports {
        for kind in kinds {
            let answer = &answers[0][transport][kind];
            assert_eq!(*answer, passed(kind), "{transport}, {kind}");
        }
    }
}
