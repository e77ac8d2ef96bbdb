use std::error::Error;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::sleep;
use tower_sessions_0_14::cookie::time::{Duration as PeersDuration, OffsetDateTime};
use tower_sessions_0_14::{ExpiredDeletion, SessionStore as PeerStore};
use tower_wx_session::SessionId;
use tower_wx_session::store::{AnyStore, Insert, Inserted, Record, SessionStore, Timestamp};

use super::database::{Database, Expired};
use super::first_answer::{FirstAnswer, Whose};
use super::peer::record;
use crate::csv::Csv;
use crate::draw::Draw;
use crate::operations::burst::Burst;
use crate::operations::users::node;
use crate::text_table::TextTable;
use crate::user::identity;

const IN_FLIGHT: usize = 64;

/// How long a session lasts that does not expire meanwhile.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// Of one that does: a store keeps it so much longer than its end.
const BEYOND: Duration = Duration::from_secs(1);

/// How often it is looked whether all that expired is gone, which is work for the server: at the most, and in the
/// time that it is kept;
const PAUSE: Duration = Duration::from_secs(1);
const LOOKS: u32 = 360;
/// and for how long beyond that.
const PATIENCE: Duration = Duration::from_secs(600);

/// What many sessions take on the disk, and a process that starts with them.
pub(crate) struct Size {
    store: &'static str,
    sessions: usize,
    bytes: u64,
    /// Unless nobody waits for what is kept longer than its time.
    with_half: Option<WithHalf>,
    start: FirstAnswer,
}

/// After half of the sessions have expired and were collected.
struct WithHalf {
    bytes: u64,
    /// How long after the last one's end all were collected.
    collected: Duration,
}

pub(crate) fn table() -> TextTable {
    TextTable::new([
        "store",
        "B a session",
        "MB",
        "MB with half of them expired",
        "collected in s",
        "first answer after ms",
        "after kill -9",
    ])
}

pub(crate) fn csv() -> Csv {
    Csv::new([
        "database",
        "store",
        "sessions",
        "bytes",
        "bytes_with_half_expired",
        "collected_s",
        "first_answer_ms",
        "first_answer_after_kill_ms",
    ])
}

impl Size {
    pub(crate) fn of_ours<D: Database>(
        runtime: &Runtime,
        database: &D,
        many: usize,
        waits: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let address = runtime.block_on(database.make("ours_many"))?;
        let (token, bytes, with_half) = runtime.block_on(async {
            let ours = D::ours(&address).await?;
            // The keys of the tokens, before any other node asks for them.
            let issued = node(&ours).issue(identity(many)).await?;
            let end = fill(&ours, many).await?;
            let bytes = database.bytes(&address).await?;
            let with_half = match waits || D::KEPT_LONGER.is_zero() {
                false => None,
                true => Some(WithHalf {
                    collected: collect(database, ours, &address, end, many).await?,
                    bytes: database.bytes(&address).await?,
                }),
            };
            let token = issued.token().expose().to_owned();
            Ok::<_, Box<dyn Error>>((token, bytes, with_half))
        })?;
        Ok(Self {
            store: "ours",
            sessions: many,
            bytes,
            with_half,
            start: FirstAnswer::measure::<D>(Whose::Ours, &address, &token)?,
        })
    }

    pub(crate) fn of_the_peer<D: Database>(
        runtime: &Runtime,
        database: &D,
        many: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let address = runtime.block_on(database.make("peer_many"))?;
        let (id, bytes, with_half) = runtime.block_on(async {
            let peer = D::peer(&address, D::POOLS[0]).await?;
            let mut stays = record(many, OffsetDateTime::now_utc() + PeersDuration::days(30));
            peer.create(&mut stays).await?;
            fill_peers(&peer, many).await?;
            let bytes = database.bytes(&address).await?;
            let start = Instant::now();
            peer.delete_expired().await?;
            let with_half = WithHalf {
                collected: start.elapsed(),
                bytes: database.bytes(&address).await?,
            };
            Ok::<_, Box<dyn Error>>((stays.id.to_string(), bytes, Some(with_half)))
        })?;
        Ok(Self {
            store: "peer",
            sessions: many,
            bytes,
            with_half,
            start: FirstAnswer::measure::<D>(Whose::Peers, &address, &id)?,
        })
    }

    pub(crate) fn print(&self, version: &str, table: &mut TextTable, csv: &mut Csv) {
        let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let of_half = |cell: fn(&WithHalf) -> String| self.with_half.as_ref().map(cell);
        let collected = of_half(|half| format!("{:.2}", half.collected.as_secs_f64()));
        let collected = collected.unwrap_or_default();
        table.row([
            self.store.to_owned(),
            format!("{:.0}", self.bytes as f64 / self.sessions as f64),
            megabytes(self.bytes),
            of_half(|half| megabytes(half.bytes)).unwrap_or_default(),
            collected.clone(),
            millis(self.start.after_an_end),
            millis(self.start.after_a_kill),
        ]);
        csv.line([
            version.to_owned(),
            self.store.to_owned(),
            self.sessions.to_string(),
            self.bytes.to_string(),
            of_half(|half| half.bytes.to_string()).unwrap_or_default(),
            collected,
            millis(self.start.after_an_end),
            millis(self.start.after_a_kill),
        ]);
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// Keeps so many sessions; half of them end at the instant that this gives, after the last was kept.
async fn fill(store: &AnyStore, many: usize) -> Result<Timestamp, Box<dyn Error>> {
    let half = many / 2;
    let start = Instant::now();
    keep(store, 0..half, None).await?;
    // Thrice as long for the other half: a store slows down as it grows, and the machine may be busy.
    let end = store.now().await?.after(start.elapsed() * 3 + 10 * BEYOND);
    keep(store, half..many, Some(end)).await?;
    match store.now().await? < end {
        true => Ok(end),
        false => Err("keeping them took longer than was foreseen".into()),
    }
}

/// Keeps sessions, which end at an instant if there is one.
async fn keep(
    store: &AnyStore,
    numbers: std::ops::Range<usize>,
    end: Option<Timestamp>,
) -> Result<(), Box<dyn Error>> {
    let (now, start) = (store.now().await?, Instant::now());
    let (store, first) = (store.clone(), numbers.start);
    let burst = Burst {
        in_flight: IN_FLIGHT,
        times: numbers.len(),
    };
    let act = move |number: usize| {
        let (store, number) = (store.clone(), first + number);
        let now = now.after(start.elapsed());
        let (lifetime, idle) = match end {
            Some(end) => (end.since(now), BEYOND),
            None => (LONG, IDLE),
        };
        async move {
            let record = Record::issued(identity(number), now, lifetime, idle, None);
            let kept = store.insert(Insert::new(id(number), record)).await;
            assert!(matches!(kept, Ok(Inserted::Kept(_))), "{kept:?}");
        }
    };
    burst.of(act).await?;
    Ok(())
}

/// As if it was made from a token.
fn id(number: usize) -> SessionId {
    let mut draw = Draw::new(number as u64);
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&identity(number).bucket());
    bytes[2..10].copy_from_slice(&draw.next().to_le_bytes());
    bytes[10..].copy_from_slice(&draw.next().to_le_bytes());
    SessionId::from_bytes(bytes)
}

/// Waits until all that expired at an instant is gone; how long after it that was.
async fn collect<D: Database>(
    database: &D,
    ours: AnyStore,
    address: &str,
    end: Timestamp,
    many: usize,
) -> Result<Duration, Box<dyn Error>> {
    let last = (many / 2..many).map(id).max();
    let forgotten = end.after(BEYOND);
    sleep(forgotten.since(ours.now().await?)).await;
    let expired = Expired {
        ours,
        last: last.ok_or("none expires")?,
        // And the one that answers at the start.
        others: (many / 2 + 1).try_into()?,
    };
    let start = Instant::now();
    while !database.has_collected(address, &expired).await? {
        if start.elapsed() > D::KEPT_LONGER + PATIENCE {
            return Err("what expired is not collected".into());
        }
        sleep(PAUSE.max(D::KEPT_LONGER / LOOKS)).await;
    }
    Ok(start.elapsed())
}

/// Keeps so many sessions, of which half are over.
async fn fill_peers<T: PeerStore + ExpiredDeletion + Clone>(
    store: &T,
    many: usize,
) -> Result<(), Box<dyn Error>> {
    let store = store.clone();
    let now = OffsetDateTime::now_utc();
    let act = move |number: usize| {
        let store = store.clone();
        let expiry_date = match number % 2 {
            0 => now + PeersDuration::days(30),
            _ => now - PeersDuration::hours(1),
        };
        async move {
            let mut record = record(number, expiry_date);
            // SQLite refuses one that has waited for 5 s behind others.
            while store.create(&mut record).await.is_err() {}
        }
    };
    let burst = Burst {
        in_flight: IN_FLIGHT,
        times: many,
    };
    burst.of(act).await?;
    Ok(())
}
