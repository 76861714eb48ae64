#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gomer_fuzz::frame::check(data));
