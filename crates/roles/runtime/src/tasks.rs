//! The tasks of the service beside its sessions, and the order in which they end.

use std::pin::Pin;

use tokio::task::JoinHandle;

/// When a task ends. All of one stage have ended before those of the next are asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownStage {
    /// What sends report mail: messages under way may end.
    Reports,
    /// What takes in records of other hosts: the database is about to be closed.
    Collecting,
    /// What looks at settings, store or name servers from time to time, and may be cut off anywhere.
    Watching,
    /// What writes records: all that is left is written.
    Records,
    /// What hands records on: those that were written just now, too.
    Shipping,
}

type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs beside the sessions.
#[derive(Default)]
pub struct Tasks(Vec<(ShutdownStage, End)>);

impl Tasks {
    /// A task that ends as `end` says. Nothing of `end` happens before its stage.
    pub fn add(&mut self, stage: ShutdownStage, end: impl Future<Output = ()> + Send + 'static) {
        self.0.push((stage, Box::pin(end)));
    }

    /// A task that is cut off in the stage [`ShutdownStage::Watching`], wherever it is.
    pub fn watch(&mut self, task: JoinHandle<()>) {
        self.add(ShutdownStage::Watching, async move {
            task.abort();
            // Aborted is what it should be; and it lets go of what it held.
            let _ = task.await;
        });
    }

    /// Ends all, stage by stage; within a stage in the order in which they were added.
    pub async fn end(mut self) {
        self.0.sort_by_key(|(stage, _)| *stage);
        for (_, end) in self.0 {
            end.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn stages_end_one_after_the_other_whatever_was_added_first() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Tasks::default();
        let held = Arc::new(());
        let watched = Arc::clone(&held);
        for stage in [
            ShutdownStage::Shipping,
            ShutdownStage::Records,
            ShutdownStage::Collecting,
            ShutdownStage::Reports,
        ] {
            let (ended, held) = (Arc::clone(&ended), Arc::clone(&held));
            tasks.add(stage, async move {
                ended.lock().unwrap().push((stage, Arc::strong_count(&held)));
            });
        }
        tasks.watch(tokio::spawn(async move {
            let _watched = watched;
            std::future::pending::<()>().await;
        }));
        tasks.end().await;
        // One is ours; each that has ended has let go of its own.
        let expected = [
            (ShutdownStage::Reports, 6),
            (ShutdownStage::Collecting, 5),
            (ShutdownStage::Records, 3),
            (ShutdownStage::Shipping, 2),
        ];
        assert_eq!(*ended.lock().unwrap(), expected);
    }
}
