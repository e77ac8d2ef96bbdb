//! Host × case: every host against every case, over real HTTP.

mod cases;

/// A module for each host, with a test for each case.
macro_rules! table {
    ($(mod $name:ident: [$($host:ident)*] $cases:tt;)*) => {
        $(mod $name { $(table! { $host $cases })* })*
    };
    ($host:ident [$($case:ident)*]) => {
        mod $host {
            use crate::cases;

            $(
                #[tokio::test]
                async fn $case() {
                    cases::$case(hosts::host::$host::start).await;
                }
            )*
        }
    };
}

table! {
    mod every_host: [
        actix_web axum_0_7 axum_0_8 lambda_http poem poem_tower rocket salvo volo_http warp
    ] [
        every_refusal_arrives_to_the_byte
        a_live_session_reaches_the_handler
        two_tokens_are_refused
        ok_json_is_a_refusal_all_the_same
        a_header_that_is_repeated_arrives_as_often
        optional_lets_only_a_missing_token_through
        grpc_is_refused_in_grpc
    ];
    mod reading: [axum_0_7 axum_0_8 poem_tower salvo warp] [
        a_refused_upload_is_read_on_and_the_connection_lives
    ];
    mod closing: [actix_web] [
        a_refused_upload_is_read_on_and_the_connection_ends
    ];
    mod dropping: [poem rocket volo_http] [
        a_refused_upload_ends_the_connection
    ];
    mod checking_late: [rocket] [
        a_handler_with_an_option_runs_and_its_answer_is_the_refusal
    ];
}
