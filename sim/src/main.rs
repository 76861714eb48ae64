//! A whole cluster in one deterministic process.

#[cfg(not(madsim))]
const _: () =
    assert!(option_env!("GOMER_SIM").is_none(), "RUSTFLAGS in the environment hides --cfg madsim: unset it");

fn main() {}
