//! Logging in at other platforms than WeChat: each a feature of its name.
