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
use crate::{End, Ending, Error, Frame, Result, Sink, Source, Summary, Written};

/// How long an ended run waits for a source that hangs in a read (a camera, a pipe) before it
/// detaches the thread.
const GRACE: Duration = Duration::from_secs(1);

/// The thread that reads the source.
pub(super) struct Decoding {
    frames: Receiver<Frame>,
    cancel: Arc<AtomicBool>,
    /// Disconnects when the thread ends; nothing is sent.
    ended: Receiver<()>,
    thread: JoinHandle<Decoded>,
}

/// How reading ended.
pub(super) struct Decoded {
    pub(super) result: Result<()>,
    pub(super) ending: Ending,
    /// The time of the last frame.
    pub(super) last: Option<Duration>,
}

impl Decoded {
    /// Of a stream that goes on or whose end is unknown.
    fn cut(result: Result<()>) -> Self {
        Self {
            result,
            ending: Ending {
                cut: true,
                ..Ending::default()
            },
            last: None,
        }
    }
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

    /// Stops reading and returns how it ended.
    pub(super) fn end(self) -> Decoded {
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
            return Decoded::cut(Ok(()));
        }
        thread
            .join()
            .unwrap_or_else(|panic| Decoded::cut(Err(panicked("decode", &*panic))))
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
) -> Decoded {
    let mut last = None;
    while !cancel.load(Ordering::Relaxed) {
        let began = Instant::now();
        let frame = match source.next_frame() {
            Ok(Some(frame)) => frame,
            end => {
                return Decoded {
                    result: end.map(drop),
                    ending: source.ending(),
                    last,
                };
            }
        };
        last = Some(frame.time);
        if !ledger.read(frame.index, began) || !queue.push(frame, ledger) {
            break;
        }
    }
    Decoded {
        last,
        ..Decoded::cut(Ok(()))
    }
}

enum Order {
    Frame(Frame),
    Finish(End),
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
    pub(super) fn end(self, end: Option<End>) -> Result<Option<Summary>> {
        let Self { orders, thread, .. } = self;
        if end.is_some_and(|end| orders.send(Order::Finish(end)).is_err()) {
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
                match sink.write_frame(&frame) {
                    Ok(Written::Kept) => ledger.deliver(frame.index, began),
                    Ok(Written::Merged) => ledger.merge(),
                    Err(error) => {
                        ledger.fail();
                        sink.abort();
                        return Err(error);
                    }
                }
            }
            Order::Finish(end) => return sink.finish(end).map(Some),
        }
    }
    sink.abort();
    Ok(None)
}
