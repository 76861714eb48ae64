//! A whole cluster in one deterministic process: the members' own code, `net` and `server` included, on a
//! simulated network, clock and disk, from one seed. Run it as `cargo sim`.
//!
//! Reading order: [`smoke`] (what happens and what must hold), [`member`] and [`phone`] (who takes part),
//! [`disk`], [`clock`], [`http`] (what they stand on), [`trace`] (what was seen), [`run`] (seeds and exit codes).
//!
//! Must never learn: how a method works. Who takes part sees what a client sees.

#[cfg(not(madsim))]
const _: () =
    assert!(option_env!("GOMER_SIM").is_none(), "RUSTFLAGS in the environment hides --cfg madsim: unset it");

// What needs no simulator is tested without one.
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod args;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod disk;
#[cfg(any(madsim, test))]
#[cfg_attr(not(madsim), allow(dead_code))]
mod trace;

#[cfg(madsim)]
mod checks;
#[cfg(madsim)]
mod clock;
#[cfg(madsim)]
mod http;
#[cfg(madsim)]
mod member;
#[cfg(madsim)]
mod phone;
#[cfg(madsim)]
mod run;
#[cfg(madsim)]
mod smoke;

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    eprintln!("this was built without its simulator: run it as `cargo sim`");
    std::process::ExitCode::from(2)
}
