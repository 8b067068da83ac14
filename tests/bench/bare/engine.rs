//! The engine alone on one core: results folded in, without sockets, tasks or disk. Once the step alone, once with
//! the agenda that says what is due.

use std::error::Error;

use nix::sys::resource::UsageWho;
use serde_json::json;
use vigia_core::engine::{Engine, Input};
use vigia_core::model::check::{CheckResult, Job};
use vigia_core::model::event::Event;
use vigia_core::model::id::Checkable;
use vigia_core::model::state::State;
use vigia_core::model::time::Timestamp;

use crate::{Answer, cpu_seconds, say, site};

/// CPU seconds for handing out and for folding in; others may be using the same core.
type Spent = Result<(f64, f64), Box<dyn Error>>;

pub(crate) struct Size {
    pub(crate) hosts: u32,
    pub(crate) services: u32,
}

pub(crate) fn run(size: &Size, rounds: u32, changes_per_cent: u32) -> Answer {
    let begin = site::begin();
    let mut engine = site::engine(size.hosts, size.services);
    let many = usize::try_from(size.hosts * size.services)?;
    let mut trial = Trial { events: Vec::new(), states: vec![State::Ok; many], changes_per_cent, now: begin };
    // So that nothing is pending any more.
    trial.round(&mut engine, many, 0)?;
    let (mut stepping, mut handing_out) = (0.0, 0.0);
    for round in 1..=rounds {
        let (handed, stepped) = trial.round(&mut engine, many, round)?;
        handing_out += handed;
        stepping += stepped;
    }
    let count = u32::try_from(many)? * rounds;
    say(&json!({
        "count": count,
        "step_per_s": f64::from(count) / stepping,
        "with_agenda_per_s": f64::from(count) / (stepping + handing_out),
    }));
    Ok(())
}

struct Trial {
    events: Vec<Event>,
    states: Vec<State>,
    changes_per_cent: u32,
    now: Timestamp,
}

impl Trial {
    /// One check of each service. Making the results is neither handing out nor folding in.
    fn round(&mut self, engine: &mut Engine, many: usize, round: u32) -> Spent {
        let (mut handing_out, mut stepping) = (0.0, 0.0);
        let mut left = many;
        while left > 0 {
            let begun = cpu_seconds(UsageWho::RUSAGE_SELF)?;
            let jobs = self.hand_out(engine, left.min(256));
            handing_out += cpu_seconds(UsageWho::RUSAGE_SELF)? - begun;
            left -= jobs.len();
            let results: Vec<_> = jobs.iter().map(|job| self.result_of(job, round)).collect();
            let begun = cpu_seconds(UsageWho::RUSAGE_SELF)?;
            for result in results {
                engine
                    .step(Input::Result(result), self.now, &mut self.events)
                    .expect("an object that is there");
            }
            // A conductor hands them on ten times a second.
            self.events.clear();
            stepping += cpu_seconds(UsageWho::RUSAGE_SELF)? - begun;
        }
        Ok((handing_out, stepping))
    }

    fn hand_out(&mut self, engine: &mut Engine, many: usize) -> Vec<Job> {
        let mut jobs = Vec::with_capacity(many);
        while jobs.len() < many {
            // Those that wait for a result are not due, so with a small site a batch may stay small.
            let Some(due) = engine.next_due() else { break };
            self.now = self.now.max(due);
            match engine.take_due(self.now) {
                Some(job) => jobs.push(job),
                None => engine.step(Input::Tick, self.now, &mut self.events).expect("a tick is taken"),
            }
        }
        jobs
    }

    fn result_of(&mut self, job: &Job, round: u32) -> CheckResult {
        let state = &mut self.states[usize::try_from(place(job)).expect("it fits")];
        // Spread over the services, others in each round.
        if (place(job) * 37 + round * 11) % 100 < self.changes_per_cent {
            *state = if *state == State::Ok { State::Critical } else { State::Ok };
        }
        site::result_of(job, *state, self.now)
    }
}

fn place(job: &Job) -> u32 {
    match job.object {
        Checkable::Service(id) => id.0,
        Checkable::Host(id) => id.0,
    }
}
