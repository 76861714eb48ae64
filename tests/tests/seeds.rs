//! Every input under `fuzz/seeds/` through its check, on stable: what crashed once stays mended.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

#[test]
fn every_input_of_the_seeds_passes() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (name, check) in fuzz::CHECKS {
        let folder = seeds.join(name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let path = file.expect("a folder can be listed").path();
            eprintln!("{}", path.display());
            check(&std::fs::read(&path).expect("an input can be read"));
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}

/// The inputs as they are find little; cut and bent in simple ways they find more.
#[test]
fn bent_inputs_pass_too() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (name, check) in fuzz::CHECKS {
        for file in std::fs::read_dir(seeds.join(name)).expect("the seeds is there") {
            let input =
                std::fs::read(file.expect("a folder can be listed").path()).expect("an input can be read");
            for at in 0..input.len().min(512) {
                check(&input[..at]);
                for bend in [0x01, 0x80, 0xff] {
                    let mut bent = input.clone();
                    bent[at] ^= bend;
                    check(&bent);
                }
            }
        }
    }
}
