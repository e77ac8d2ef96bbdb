use std::future::{pending, ready};
use std::sync::Mutex;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tokio::time::advance;

use super::*;

/// Doubles numbers, when it may, and notes what came together.
#[derive(Clone)]
struct Server {
    batches: Batches<u32, u32>,
    may_answer: Arc<Semaphore>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    fn new(batches: Batches<u32, u32>) -> Self {
        Self {
            batches,
            may_answer: Arc::new(Semaphore::new(0)),
            sizes: Arc::default(),
        }
    }

    async fn double(self, number: u32) -> Result<u32, StoreError> {
        let Self {
            batches,
            may_answer,
            sizes,
        } = self;
        let ask = move |numbers: Vec<u32>| {
            sizes.lock().unwrap().push(numbers.len());
            let may_answer = Arc::clone(&may_answer);
            async move {
                may_answer.acquire().await.unwrap().forget();
                Ok(numbers.into_iter().map(|number| 2 * number).collect())
            }
        };
        batches.ask(number, ask).await
    }

    fn sizes(&self) -> Vec<usize> {
        self.sizes.lock().unwrap().clone()
    }
}

async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn one_alone_waits_for_nobody_and_those_that_wait_go_together() {
    let server = Server::new(Batches::default());
    let mut asked = JoinSet::new();
    for number in 0..2 {
        asked.spawn(server.clone().double(number));
        settle().await;
    }
    asked.spawn(server.clone().double(2));
    settle().await;
    assert_eq!(server.sizes(), [1, 1], "two are under way");
    for number in 3..40 {
        asked.spawn(server.clone().double(number));
    }
    settle().await;
    server.may_answer.add_permits(10);
    let mut answers: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
    answers.sort_unstable();
    assert_eq!(
        answers,
        (0..40).map(|number| 2 * number).collect::<Vec<_>>()
    );
    assert_eq!(server.sizes(), [1, 1, 32, 6]);
}

/// Eight requests are under way by themselves where so many may be.
async fn eight_alone() -> (Server, JoinSet<Result<u32, StoreError>>) {
    let server = Server::new(Batches::beyond(8, OVERDUE));
    let mut asked = JoinSet::new();
    for number in 0..8 {
        asked.spawn(server.clone().double(number));
    }
    settle().await;
    assert_eq!(server.sizes(), [1; 8]);
    (server, asked)
}

#[tokio::test]
async fn many_may_be_under_way_by_themselves_or_two_batches() {
    let (server, mut asked) = eight_alone().await;
    for number in 8..108 {
        asked.spawn(server.clone().double(number));
    }
    for (answered, batches) in [(3, 0), (1, 1), (3, 1), (1, 2), (1, 3), (1, 4), (2, 4)] {
        server.may_answer.add_permits(answered);
        settle().await;
        let sizes = server.sizes();
        assert_eq!(sizes[8..].len(), batches, "{sizes:?}");
    }
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 108);
    assert_eq!(server.sizes()[8..], [32, 32, 32, 4]);
}

#[tokio::test]
async fn one_more_than_may_be_alone_waits_for_any_of_them() {
    let (server, mut asked) = eight_alone().await;
    asked.spawn(server.clone().double(8));
    server.may_answer.add_permits(1);
    settle().await;
    assert_eq!(server.sizes(), [1; 9]);
    server.may_answer.add_permits(8);
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 9);
}

#[tokio::test]
async fn those_who_have_just_been_answered_go_along_with_the_next_batch() {
    const ASKING: usize = 64;
    const TIMES: usize = 20;

    let batches = Batches::beyond(8, OVERDUE);
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let mut asking = JoinSet::new();
    for _ in 0..ASKING {
        let (batches, sizes) = (batches.clone(), Arc::clone(&sizes));
        asking.spawn(async move {
            for _ in 0..TIMES {
                let sizes = Arc::clone(&sizes);
                let ask = move |numbers: Vec<u32>| {
                    sizes.lock().unwrap().push(numbers.len());
                    async move {
                        settle().await;
                        Ok(numbers)
                    }
                };
                assert_eq!(batches.ask(7, ask).await.unwrap(), 7);
            }
        });
    }
    asking.join_all().await;
    let sizes = sizes.lock().unwrap();
    assert!(sizes.len() <= ASKING * TIMES / 24, "{sizes:?}");
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn one_after_the_other_takes_along_all_who_wait() {
    let server = Server::new(Batches::one_at_a_time());
    let mut asked = JoinSet::new();
    for number in 0..4 {
        asked.spawn(server.clone().double(number));
        settle().await;
    }
    server.may_answer.add_permits(2);
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 4);
    assert_eq!(server.sizes(), [1, 3]);
}

#[tokio::test]
async fn whoever_stops_waiting_takes_nothing_from_the_others() {
    let server = Server::new(Batches::default());
    let mut asked = JoinSet::new();
    let gone = tokio::spawn(server.clone().double(0));
    for number in 1..3 {
        asked.spawn(server.clone().double(number));
    }
    settle().await;
    assert_eq!(server.sizes(), [1; 2], "the third waits");
    gone.abort();
    settle().await;
    assert_eq!(server.sizes(), [1; 3]);
    server.may_answer.add_permits(2);
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 2);
}

#[tokio::test]
async fn what_nobody_waits_for_holds_nothing_up() {
    let server = Server::new(Batches::default());
    for _ in 0..3 {
        let asked = tokio::spawn(server.clone().double(1));
        settle().await;
        asked.abort();
        settle().await;
    }
    server.may_answer.add_permits(1);
    assert_eq!(server.clone().double(4).await.unwrap(), 8);
    assert_eq!(server.sizes(), [1; 4]);
}

#[tokio::test]
async fn a_failure_is_that_of_the_whole_batch() {
    let batches = Batches::<u32, u32>::default();
    let ask = |_| ready(Err(StoreError::unavailable("down")));
    assert!(batches.ask(1, ask).await.is_err());
    let too_few = |_| ready(Ok(Vec::new()));
    assert!(batches.ask(1, too_few).await.is_err());
}

#[test]
fn a_runtime_that_ends_takes_no_turn_along() {
    let batches = Batches::<u32, u32>::default();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let asking = batches.clone();
        runtime.spawn(async move { asking.ask(1, |_| pending()).await });
        runtime.block_on(settle());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let answer = runtime.block_on(batches.ask(1, |numbers| ready(Ok(numbers))));
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_drives_is_overdue_after_three_seconds() {
    let batches = Batches::<u32, u32>::default();
    let stuck: Vec<_> = (0..BATCHES).map(|_| batches.way(1)).collect();
    assert!(stuck.iter().all(|way| matches!(way, Way::Alone(..))));
    let Way::First(waiting, OVERDUE) = batches.way(3) else {
        panic!("enough are under way");
    };
    advance(OVERDUE).await;
    let answer = batches.ask(2, |numbers| ready(Ok(numbers))).await;
    assert_eq!(answer.unwrap(), 2);
    assert_eq!(waiting.await.unwrap().unwrap(), 3, "it is taken along");
}

const MOMENT: Duration = Duration::from_millis(1);

/// Of four requests two are under way, and hold the others up for a moment.
async fn two_wait_for_a_slow_server() -> (Server, JoinSet<Result<u32, StoreError>>) {
    let server = Server::new(Batches::beyond(BATCHES, MOMENT));
    let mut asked = JoinSet::new();
    for number in 0..4 {
        asked.spawn(server.clone().double(number));
    }
    settle().await;
    assert_eq!(server.sizes(), [1, 1], "two wait");
    (server, asked)
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_to_a_slow_server_waits_a_moment_and_no_longer() {
    let (server, mut asked) = two_wait_for_a_slow_server().await;
    advance(MOMENT).await;
    asked.spawn(server.clone().double(4));
    settle().await;
    assert_eq!(server.sizes(), [1, 1, 3]);
    server.may_answer.add_permits(3);
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 5);
}

#[tokio::test(start_paused = true)]
async fn so_does_whoever_comes_last() {
    let (server, asked) = two_wait_for_a_slow_server().await;
    advance(2 * MOMENT).await;
    settle().await;
    assert_eq!(server.sizes(), [1, 1, 2]);
    server.may_answer.add_permits(3);
    assert_eq!(asked.join_all().await.into_iter().flatten().count(), 4);
}
