const LOCK: &str = include_str!("../../../Cargo.lock");

/// What is compared, and what decides how fast that is.
const PACKAGES: [&str; 21] = [
    "tower-wx-session",
    "axum-login",
    "axum_session",
    "jsonwebtoken",
    "aws-lc-rs",
    "moka",
    "mysql_async",
    "papaya",
    "quick_cache",
    "redb",
    "redis",
    "sha2",
    "sqlx",
    "tokio-postgres",
    "tower",
    "tower-http",
    "tower-sessions",
    "tower-sessions-moka-store",
    "tower-sessions-sqlx-store",
    "http",
    "tokio",
];

/// All versions that were built, from the lock file.
pub(crate) fn describe() -> String {
    let versions =
        PACKAGES.map(|package| format!("{package} {}", all(LOCK, package).join(" and ")));
    versions.join(", ")
}

fn all<'a>(lock: &'a str, package: &str) -> Vec<&'a str> {
    let heading = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut versions = Vec::new();
    while lines.any(|line| line == heading) {
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = "));
        versions.extend(version.map(|version| version.trim_matches('"')));
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_a_package_is_found() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n\
                    [[package]]\nname = \"ab\"\nversion = \"3\"\n\n\
                    [[package]]\nname = \"a\"\nversion = \"2.0\"\n";
        assert_eq!(all(lock, "a"), ["1.0", "2.0"]);
    }

    #[test]
    fn every_package_that_is_named_is_there() {
        for package in PACKAGES {
            assert!(!all(LOCK, package).is_empty(), "{package}");
        }
    }
}
