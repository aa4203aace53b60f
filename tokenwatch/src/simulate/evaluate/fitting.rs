//! Which detector's word counts as the detection of which attack.

use std::net::Ipv4Addr;

use ipnet::IpNet;
use tokenwatch_model::Detector;

use super::ledger::Whom;
use crate::simulate::attack::Attack;
use crate::simulate::plan::Planned;
use crate::simulate::world::World;

/// The detectors that an attack is for.
pub(super) fn detectors(attack: Attack) -> &'static [Detector] {
    use Detector::{
        ConcurrentUse, CredentialStuffing, DataVolumeSpike, DormantReactivation,
        EndpointEnumeration, FailureBurst, ImpossibleTravel, NewClient, NewEndpoint, NewGeography,
        OutOfScope, PrivilegeUse, RateSpike, SlowDrift, TokenGuessing, TokenSharing,
    };
    match attack {
        Attack::Spike { .. } | Attack::Poisoning { .. } => &[RateSpike],
        Attack::Theft { .. } | Attack::Proxies { .. } => &[
            NewGeography,
            ImpossibleTravel,
            ConcurrentUse,
            NewClient,
            TokenSharing,
        ],
        Attack::Stuffing { .. } => &[CredentialStuffing, TokenGuessing],
        Attack::Enumeration { .. } | Attack::HiddenInOutage { .. } => {
            &[EndpointEnumeration, FailureBurst]
        }
        Attack::Privilege { .. } => &[OutOfScope, PrivilegeUse, NewEndpoint],
        Attack::Exfiltration { .. } => &[DataVolumeSpike],
        Attack::Dormant { .. } => &[
            DormantReactivation,
            NewGeography,
            ImpossibleTravel,
            ConcurrentUse,
            NewClient,
        ],
        Attack::LowAndSlow { .. } => &[SlowDrift, RateSpike],
    }
}

/// Whether what is said about `whom` is said about the attack.
pub(super) fn is_subject(
    world: &World,
    planned: &Planned,
    sources: &[Ipv4Addr],
    whom: &Whom,
) -> bool {
    match (planned.victim, whom) {
        (Some(victim), Whom::Token(token)) => victim == *token,
        (Some(victim), Whom::Consumer(name)) => world.members[victim as usize].consumer == *name,
        (Some(_), _) | (None, Whom::Consumer(_)) => false,
        // Credential stuffing: a source of it, whoever is behind many sources, or a token on its list.
        (None, Whom::Token(token)) => planned.valid.contains(token),
        (None, Whom::Source(source)) => is_source(source, sources),
        (None, Whom::Fleet | Whom::Stranger) => true,
    }
}

/// Whether a source is one of `sources`, holds one, or is not told by addresses at all (a network, a route).
fn is_source(source: &str, sources: &[Ipv4Addr]) -> bool {
    if let Ok(address) = source.parse::<Ipv4Addr>() {
        return sources.contains(&address);
    }
    match source.parse::<IpNet>() {
        Ok(net) => sources
            .iter()
            .any(|address| net.contains(&std::net::IpAddr::V4(*address))),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_a_prefix_or_something_wider() {
        let sources = [Ipv4Addr::new(79, 192, 10, 7)];
        for source in ["79.192.10.7", "79.192.10.0/24", "AS3320"] {
            assert!(is_source(source, &sources), "{source}");
        }
        for source in ["79.192.10.8", "79.192.11.0/24"] {
            assert!(!is_source(source, &sources), "{source}");
        }
    }
}
