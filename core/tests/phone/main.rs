//! Two phones against a small server, with everything that a pocket, a tunnel and a hotel can do to them.

mod server;
mod world;

use proptest::prelude::*;
use world::{Act, Deed, Fate, Step, World};

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => Just(Deed::Create),
        6 => Just(Deed::Update),
        1 => Just(Deed::Clear),
        2 => Just(Deed::Delete),
        1 => Just(Deed::Pair),
        1 => Just(Deed::Mark),
        1 => Just(Deed::Poison),
        1 => Just(Deed::Ancient),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Answered),
        2 => Just(Fate::Lost),
        3 => Just(Fate::ReplyLost),
        1 => Just(Fate::Doubled),
        1 => Just(Fate::ReplyDoubled),
        1 => Just(Fate::Busy),
        1 => Just(Fate::TimedOut),
        1 => Just(Fate::HotelPage),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    (deed(), 0usize..5, 0usize..4, 0usize..3, 0u8..4, prop::bool::weighted(0.2)).prop_map(
        |(deed, scope, id, attribute, value, if_rev)| Act { deed, scope, id, attribute, value, if_rev },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let phone = 0usize..2;
    let luck = (1usize..5, 0usize..4, prop::option::weighted(0.2, 0usize..4), any::<bool>());
    prop_oneof![
        20 => (phone.clone(), act()).prop_map(|(phone, act)| Step::Does { phone, act }),
        40 => (phone.clone(), 0usize..3, fate(), luck)
            .prop_map(|(phone, which, fate, luck)| Step::Network { phone, which, fate, luck }),
        4 => (phone.clone(), prop::option::of(0usize..4)).prop_map(|(phone, after)| Step::Crash { phone, after }),
        2 => phone.clone().prop_map(|phone| Step::Offline { phone }),
        3 => phone.clone().prop_map(|phone| Step::Online { phone }),
        3 => (phone.clone(), any::<bool>()).prop_map(|(phone, redo)| Step::Answers { phone, redo }),
        3 => (phone.clone(), 0u8..4).prop_map(|(phone, roots)| Step::Follows { phone, roots }),
        8 => (0u64..40).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Wait { seconds: 1_000 }),
        1 => (phone.clone(), -100_000i64..100_000).prop_map(|(phone, millis)| Step::SetClock { phone, millis }),
        4 => (phone.clone(), 0usize..2, any::<bool>())
            .prop_map(|(phone, scope, given)| Step::Grant { phone, scope, given }),
        2 => Just(Step::Forget),
        1 => Just(Step::NewEra),
        1 => phone.clone().prop_map(|phone| Step::EndAccess { phone }),
        1 => phone.prop_map(|phone| Step::RevokeSession { phone }),
    ]
}

fn run(steps: Vec<Step>) {
    let mut world = World::new();
    for step in steps {
        world.step(step);
    }
    world.heal();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_both_phones_end_as_the_server_and_nothing_is_lost_or_done_twice(
        steps in prop::collection::vec(step(), 0..160),
    ) {
        run(steps);
    }
}
