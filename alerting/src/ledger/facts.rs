//! What the store knows of a token that something is to be done about.

use std::time::Duration;

use tokenwatch_model::{Finding, Registration, TokenKind};
use tokenwatch_store::{Store, StoreError};
use tokio::time::timeout;

use crate::response::TokenFacts;

/// How long the store may take to say how a token was used; a stolen token does not wait for a slow table.
const USE_LIMIT: Duration = Duration::from_secs(2);
/// Networks that a restricted token may be used from: /24s and /48s, as many as gateways take in one rule.
const NETWORKS_LIMIT: usize = 50;

/// What the registry says, how the token was used before the finding began and, if asked, from where. Its use is left out if it
/// cannot be read.
pub(super) async fn read(
    store: &Store,
    finding: &Finding,
    with_networks: bool,
) -> Result<TokenFacts, StoreError> {
    let Some(token) = &finding.token else {
        return Ok(TokenFacts::default());
    };
    let (credential, consumer) = (token.credential_id.as_deref(), token.consumer.as_deref());
    let queries = store.queries();
    let before = finding.first_event_at;
    let networks = async {
        if !with_networks {
            return Ok(Vec::new());
        }
        let networks = queries.known_networks(token.id, before, NETWORKS_LIMIT);
        networks.await
    };
    let used = async {
        tokio::try_join!(
            queries.blast_radius(token.id, before),
            queries.kind_of(token.id),
            networks
        )
    };
    // All at once: a stolen token waits for the slowest answer, not for their sum.
    let (known, used) = tokio::join!(
        store.registration(token.id, credential, consumer),
        timeout(USE_LIMIT, used)
    );
    let registration = known?.map(|known| known.registration);
    let allowed = allowed(registration.as_ref()).filter(|_| with_networks);
    let used = match used {
        Ok(used) => used.map_err(|error| error.to_string()),
        Err(_) => Err("the store took too long".to_owned()),
    };
    match used {
        Ok((radius, kind, networks)) => Ok(TokenFacts {
            kind: kind.as_deref().and_then(kind_named),
            registration,
            blast_radius: Some(radius),
            networks: allowed.unwrap_or(networks),
        }),
        Err(error) => {
            tracing::warn!(%error, finding.id = %finding.id, "it could not be read how the token was used");
            Ok(TokenFacts {
                registration,
                networks: allowed.unwrap_or_default(),
                ..TokenFacts::default()
            })
        }
    }
}

fn kind_named(name: &str) -> Option<TokenKind> {
    let kinds = [
        TokenKind::ApiKey,
        TokenKind::Jwt,
        TokenKind::Session,
        TokenKind::Unknown,
    ];
    kinds.into_iter().find(|kind| kind.name() == name)
}

fn allowed(registration: Option<&Registration>) -> Option<Vec<ipnet::IpNet>> {
    let networks = &registration?.allowed_networks;
    (!networks.is_empty()).then(|| networks.clone())
}
