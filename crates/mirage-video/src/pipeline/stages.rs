//! The decode and encode threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{Policy, ledger::Ledger, panicked};
use crate::{Error, Frame, Result, Sink, Source, Summary};

/// How long an ended run waits for a source that hangs in a read (a camera, a pipe) before it
/// detaches the thread.
const GRACE: Duration = Duration::from_secs(1);

/// The thread that reads the source.
pub(super) struct Decoding {
    frames: Receiver<Frame>,
    cancel: Arc<AtomicBool>,
    /// Disconnects when the thread ends; nothing is sent.
    ended: Receiver<()>,
    thread: JoinHandle<Result<()>>,
}

impl Decoding {
    pub(super) fn start(
        source: Box<dyn Source + Send>,
        policy: Policy,
        capacity: usize,
        ledger: Arc<Ledger>,
    ) -> Self {
        let capacity = if policy == Policy::Latest {
            1
        } else {
            capacity.max(1)
        };
        let (sender, frames) = bounded(capacity);
        let (ending, ended) = bounded::<()>(0);
        let cancel = Arc::new(AtomicBool::new(false));
        let queue = match policy {
            Policy::EveryFrame => Queue {
                sender,
                displaced: None,
            },
            Policy::Latest => Queue {
                sender,
                displaced: Some(frames.clone()),
            },
        };
        let cancelled = Arc::clone(&cancel);
        let thread = std::thread::spawn(move || {
            let _ending = ending;
            decode(source, &queue, &cancelled, &ledger)
        });
        Self {
            frames,
            cancel,
            ended,
            thread,
        }
    }

    pub(super) fn frames(&self) -> &Receiver<Frame> {
        &self.frames
    }

    /// Stops reading and returns the source's result.
    pub(super) fn end(self) -> Result<()> {
        let Self {
            frames,
            cancel,
            ended,
            thread,
        } = self;
        cancel.store(true, Ordering::Relaxed);
        // Unblocks a thread that waits for space in the queue.
        drop(frames);
        if ended.recv_timeout(GRACE) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            tracing::warn!("the source hangs in a read; its thread was detached");
            return Ok(());
        }
        thread
            .join()
            .unwrap_or_else(|panic| Err(panicked("decode", &*panic)))
    }
}

/// The queue to the processor.
struct Queue {
    sender: Sender<Frame>,
    /// With [`Policy::Latest`](super::Policy::Latest), the receiving end, to take back the older frame.
    displaced: Option<Receiver<Frame>>,
}

impl Queue {
    /// Returns `false` if the receiver is gone.
    fn push(&self, mut frame: Frame, ledger: &Ledger) -> bool {
        let Some(displaced) = &self.displaced else {
            return self.sender.send(frame).is_ok();
        };
        loop {
            match self.sender.try_send(frame) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(newer)) => {
                    frame = newer;
                    if displaced.try_recv().is_ok() {
                        ledger.skip();
                    }
                }
            }
        }
    }
}

fn decode(
    mut source: Box<dyn Source + Send>,
    queue: &Queue,
    cancel: &AtomicBool,
    ledger: &Ledger,
) -> Result<()> {
    while !cancel.load(Ordering::Relaxed) {
        let began = Instant::now();
        let Some(frame) = source.next_frame()? else {
            break;
        };
        if !ledger.read(frame.index, began) || !queue.push(frame, ledger) {
            break;
        }
    }
    Ok(())
}

enum Order {
    Frame(Frame),
    Finish,
}

/// The thread that writes the sink. The sink is aborted unless it is told to finish.
pub(super) struct Encoding {
    orders: Sender<Order>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Result<Option<Summary>>>,
}

impl Encoding {
    pub(super) fn start(sink: Box<dyn Sink + Send>, capacity: usize, ledger: Arc<Ledger>) -> Self {
        let (orders, queue) = bounded(capacity.max(1));
        let ended = Arc::new(AtomicBool::new(false));
        let flag = EndFlag(Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            let _flag = flag;
            encode(sink, &queue, &ledger)
        });
        Self {
            orders,
            ended,
            thread,
        }
    }

    /// Whether no more frames can be written.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Queues a frame. If the thread has ended, the frame has failed, and the thread's result says why.
    pub(super) fn send(&self, frame: Frame) {
        if self.orders.send(Order::Frame(frame)).is_err() {
            tracing::debug!("a frame came after the sink had failed");
        }
    }

    /// Finishes the output, or discards it.
    pub(super) fn end(self, keep: bool) -> Result<Option<Summary>> {
        let Self { orders, thread, .. } = self;
        if keep && orders.send(Order::Finish).is_err() {
            tracing::debug!("the sink had failed before its end");
        }
        drop(orders);
        thread
            .join()
            .unwrap_or_else(|panic| Err(panicked("encode", &*panic)))
    }
}

/// Sets the flag when the thread ends, also by a panic.
struct EndFlag(Arc<AtomicBool>);

impl Drop for EndFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn encode(
    mut sink: Box<dyn Sink + Send>,
    queue: &Receiver<Order>,
    ledger: &Ledger,
) -> Result<Option<Summary>, Error> {
    for order in queue {
        match order {
            Order::Frame(frame) => {
                let began = Instant::now();
                if let Err(error) = sink.write_frame(&frame) {
                    ledger.fail();
                    sink.abort();
                    return Err(error);
                }
                ledger.deliver(frame.index, began);
            }
            Order::Finish => return sink.finish().map(Some),
        }
    }
    sink.abort();
    Ok(None)
}
