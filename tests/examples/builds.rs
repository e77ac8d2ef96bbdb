//! The client in projects of the field, built by their own tools; see `tests/builds`.

use crate::miniprogram::run;

#[test]
#[ignore = "takes long: ./test"]
fn the_compiler_of_wechat_takes_every_page_of_the_example() {
    run("builds", &["program"]);
}

#[test]
#[ignore = "takes long: ./test"]
fn uni_app_builds_the_client_for_wechat_and_for_browsers() {
    run("builds", &["uni"]);
}

#[test]
#[ignore = "takes long: ./test builds"]
fn taro_builds_the_client_for_wechat_and_for_browsers() {
    run("builds", &["taro"]);
}

#[test]
#[ignore = "takes long: ./test builds"]
fn the_tool_of_wechat_takes_the_example_and_what_was_built() {
    run("builds", &["accept"]);
}
