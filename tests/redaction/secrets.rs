//! What must not show, in whatever form somebody may print it.

use std::fmt::Debug;

pub const SECRET: &str = "cAnArYsEcReT0123456789abcdef0123";
pub const DATA: &str = "cAnArYdAtA-of-the-application";

/// What must not show. Half of a secret gives it away, too, and so does another case.
#[derive(Default)]
pub struct Secrets(pub Vec<String>);

impl Secrets {
    pub fn add(&mut self, secret: &str) {
        let text = secret.to_lowercase();
        let half = text.len() / 2;
        self.0
            .extend([text[..half].to_owned(), text[half..].to_owned()]);
    }

    pub fn found_in(&self, text: &str) -> Vec<&str> {
        let text = text.to_lowercase();
        let found = self.0.iter().filter(|secret| text.contains(&***secret));
        found.map(|secret| &**secret).collect()
    }

    #[track_caller]
    pub fn assert_none_in(&self, place: &str, text: &str) {
        assert_eq!(
            self.found_in(text),
            Vec::<&str>::new(),
            "in {place}: {text}"
        );
    }
}

pub fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// A code whose second half is a canary, as a client would send it.
pub fn code(name: &str) -> String {
    format!("{name}:cAnArYcOdE-{name}-0123456789")
}

#[tokio::test]
async fn the_control_sees_halves_and_other_cases_of_a_secret() {
    let mut secrets = Secrets::default();
    secrets.add("AbCdEfGhIjKlMnOp");
    for text in ["abcdefghijklmnop", "..ABCDEFGH..", "ijklmnop"] {
        assert!(!secrets.found_in(text).is_empty(), "{text}");
    }
    assert!(secrets.found_in("abcdefg hijklmno").is_empty());
}
