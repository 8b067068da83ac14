//! Event handlers: their command or their values must be there.

use vigia_core::model::policy::{Handler, HandlersOfAll};
use vigia_core::nagios::macros;

use super::super::names::Names;
use super::check_run;
use crate::config::decode::Decoder;
use crate::config::place::Place;
use crate::config::settings::EventHandlers;
use crate::config::written::fields::Item;

/// None: there is no such command, which was reported.
pub(in super::super) fn checked_handler(
    handler: Handler,
    at: Place,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> Option<Handler> {
    match &handler {
        Handler::Run(words) => check_run(Some(words), at, decoder),
        Handler::Command(call) => {
            let (name, _) = macros::call(call);
            commands.find(Item { text: &name, at }, "command", decoder)?;
        }
    }
    Some(handler)
}

pub(in super::super) fn handlers_of_all(
    written: &EventHandlers,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> HandlersOfAll {
    let mut checked = |one: &Option<(Handler, Place)>| {
        let (handler, at) = one.clone()?;
        checked_handler(handler, at, commands, decoder)
    };
    HandlersOfAll { host: checked(&written.host), service: checked(&written.service) }
}
