//! How a check is made: a built-in one here, a plugin as a process.

use std::sync::{Arc, PoisonError, RwLock};

use vigia_checks::{Shared, Target};
use vigia_core::model::check::{BuiltInCheck, CheckMethod, Job, Output, Verdict};
use vigia_core::model::state::State;

use super::executor::Look;
use super::plugin::{self, Answer};
use crate::os::process::Processes;

/// What all checks share.
#[derive(Debug)]
pub struct Tools {
    checks: RwLock<Shared>,
    pub processes: Processes,
}

impl Tools {
    pub fn new(checks: Shared) -> Self {
        Self { checks: RwLock::new(checks), processes: Processes::default() }
    }

    /// Reads again what the system says of name servers and certificates.
    pub fn refresh(&self) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).refresh();
    }

    fn checks(&self) -> Shared {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at one object. With `verbose` every step is told.
    pub async fn look(&self, job: &Job, verbose: bool) -> Answer {
        match &job.check.method {
            CheckMethod::BuiltIn(check) => self.built_in(&**check, job, verbose).await,
            CheckMethod::Plugin(command) => plugin::run(command, job.check.timeout, &self.processes).await,
            // Nagios, too, takes a host without a check command as UP.
            CheckMethod::AssumedUp => {
                Answer::new(Verdict::State(State::Ok), Output::line("(Host assumed to be up)"))
            }
            // The engine hands out no such job; asked by hand, this is the answer.
            CheckMethod::Passive { .. } => {
                let text = "(passive: nobody looks, others tell)";
                Answer::new(Verdict::State(State::Unknown), Output::line(text))
            }
        }
    }

    async fn built_in(&self, check: &dyn BuiltInCheck, job: &Job, verbose: bool) -> Answer {
        let target = Target {
            address: &job.address,
            timeout: job.check.timeout,
            is_host_check: job.is_host_check,
            verbose,
        };
        let shared = self.checks();
        let outcome = vigia_checks::run(check, &target, &shared).await;
        let mut answer = Answer::new(Verdict::State(outcome.state), Arc::new(outcome.output));
        answer.detail = outcome.detail;
        answer
    }
}

/// The executor's way to look.
pub fn with(tools: Arc<Tools>) -> Look {
    Arc::new(move |job| {
        let tools = tools.clone();
        Box::pin(async move { tools.look(job, false).await })
    })
}
