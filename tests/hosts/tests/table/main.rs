//! Host × case: every host against every case, over real HTTP.

mod cases;

/// A module for each host, with a test for each case.
macro_rules! table {
    ([$($host:ident)*] $cases:tt) => { $(table! { $host $cases })* };
    ($host:ident [$($case:ident)*]) => {
        mod $host {
            $(
                #[tokio::test]
                async fn $case() {
                    super::cases::$case(hosts::host::$host::start).await;
                }
            )*
        }
    };
}

table! {
    [actix_web axum_0_7 axum_0_8 lambda_http poem poem_tower rocket salvo volo_http warp]
    [
        every_refusal_arrives_to_the_byte
        a_live_session_reaches_the_handler
        two_tokens_are_refused
        ok_json_is_a_refusal_all_the_same
        a_header_that_is_repeated_arrives_as_often
        optional_lets_only_a_missing_token_through
        grpc_is_refused_in_grpc
        an_upload_is_refused
    ]
}
