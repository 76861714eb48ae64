//! The program around the library: command line, settings, logs, threads, signals, exit codes.
//!
//! Nothing here runs in the simulator, and the library knows nothing of it.
//!
//! Reading order: [`cli`], [`settings`] with [`sources`] and [`ring`], [`operator`] with [`admin_client`], [`cluster`], [`serve`] with [`join`], [`edges`], [`signals`], [`logs`], [`exit`].

pub mod admin_client;
pub mod cli;
pub mod cluster;
pub mod edges;
pub mod exit;
pub mod join;
pub mod logs;
pub mod operator;
pub mod reference;
pub mod ring;
pub mod serve;
pub mod settings;
pub mod signals;
pub mod sources;
