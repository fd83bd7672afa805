//! `izin serve`: runs until it is told to stop, then stops in order.

use std::thread;

use tokio::sync::oneshot;

use crate::{
    app::{
        AppError,
        service::{Service, start, system_clock},
    },
    config::Config,
    numbers,
    runtime::shutdown::{Shutdown, StopSignal, StopSignals},
};

/// Serves until a signal comes. Returns the exit status.
///
/// # Errors
///
/// [`AppError`] when the service cannot start, or its listener fails.
pub async fn serve(config: &Config, recovers: bool) -> Result<i32, AppError> {
    // Beside the start, which does not need it: an early number only waits for its own region.
    let preparing = thread::Builder::new().name("numbers".into()).spawn(numbers::prepare);
    preparing.map_err(AppError::io("prepare the reading of numbers"))?;
    let Service { addr, handle, run, behind } = start(config, system_clock(), recovers).await?;
    tracing::info!(http.addr = %addr, "listening");
    let signals = StopSignals::listen().map_err(AppError::io("listen for signals"))?;
    let shutdown = Shutdown::default();
    let begun = shutdown.clone();
    let mut second = actix_web::rt::spawn(async move { signals.drive(&begun).await });
    actix_web::rt::spawn(async move {
        shutdown.begun().await;
        handle.stop(true).await;
    });
    tokio::select! {
        served = run.serve() => served.map_err(AppError::io("serve"))?,
        signal = &mut second => {
            return Ok(signal.map_or(1, StopSignal::exit_code));
        }
    }
    // The server is gone, and with it everyone who could still submit. On a thread of its own, so
    // that a second signal is still heard.
    let (tell, finished) = oneshot::channel();
    let finish = move || {
        behind.finish();
        if tell.send(()).is_err() {
            tracing::debug!("nobody waited for the end");
        }
    };
    thread::Builder::new().name("stop".into()).spawn(finish).map_err(AppError::io("stop"))?;
    tokio::select! {
        _ = finished => {
            tracing::info!("stopped");
            Ok(0)
        }
        signal = second => Ok(signal.map_or(1, StopSignal::exit_code)),
    }
}

/// Runs a future to its end on the runtime that everything here needs.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}
