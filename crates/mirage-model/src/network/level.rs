//! The levels of a U-Net: what happens at one resolution.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use super::{
    attention::TransformerBlock,
    memory::Context,
    residual::{Downsample, ResidualBlock, Upsample},
};
use crate::config::LiveStreamUNetConfig;

/// The settings that all levels share.
pub(crate) struct LevelPlan<'a> {
    pub(crate) config: &'a LiveStreamUNetConfig,
    /// Width of the timestep embedding.
    pub(crate) time_dim: usize,
    pub(crate) device: &'a Device,
}

impl LevelPlan<'_> {
    fn residual(&self, from: usize, to: usize) -> ResidualBlock {
        ResidualBlock::new(
            from,
            to,
            self.time_dim,
            self.config.norm_groups,
            self.device,
        )
    }

    fn transformer(&self, dim: usize, reads_memory: bool) -> TransformerBlock {
        let context_dim = reads_memory.then_some(self.config.memory.dim);
        TransformerBlock::new(
            dim,
            self.config.attention.head_dim,
            context_dim,
            self.device,
        )
    }

    /// Returns the transformer block of `level`, if it has one.
    fn level_transformer(&self, level: usize, dim: usize) -> Option<TransformerBlock> {
        let reads_memory = self.config.memory.levels.contains(&level);
        let attends = self.config.attention.levels.contains(&level);
        attends.then(|| self.transformer(dim, reads_memory))
    }
}

/// A level on the way down. Its result before downsampling is the level's skip connection.
#[derive(Module, Debug)]
pub(crate) struct DownLevel {
    block: Vec<ResidualBlock>,
    transformer: Option<TransformerBlock>,
    downsample: Option<Downsample>,
}

impl DownLevel {
    /// Level `level` of the plan, fed with `from` channels.
    pub(crate) fn new(plan: &LevelPlan<'_>, level: usize, from: usize) -> Self {
        let channels = plan.config.level_channels();
        let to = channels[level];
        let block = (0..plan.config.blocks)
            .map(|at| plan.residual(if at == 0 { from } else { to }, to))
            .collect();
        Self {
            block,
            transformer: plan.level_transformer(level, to),
            downsample: (level + 1 < channels.len()).then(|| Downsample::new(to, plan.device)),
        }
    }

    /// Pushes a skip connection after every block, and returns the input of the next level.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        time: &Tensor<2>,
        context: &Context,
        skips: &mut Vec<Tensor<4>>,
    ) -> Tensor<4> {
        let mut x = x;
        let last = self.block.len() - 1;
        for (at, block) in self.block.iter().enumerate() {
            x = block.forward(x, time.clone());
            if let (true, Some(transformer)) = (at == last, &self.transformer) {
                x = transformer.forward(x, context);
            }
            skips.push(x.clone());
        }
        match &self.downsample {
            Some(downsample) => downsample.forward(x),
            None => x,
        }
    }
}

/// The innermost level: residual block, transformer block that reads the memory, residual block.
#[derive(Module, Debug)]
pub(crate) struct Middle {
    block1: ResidualBlock,
    transformer: TransformerBlock,
    block2: ResidualBlock,
}

impl Middle {
    pub(crate) fn new(plan: &LevelPlan<'_>, channels: usize) -> Self {
        Self {
            block1: plan.residual(channels, channels),
            transformer: plan.transformer(channels, true),
            block2: plan.residual(channels, channels),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>, time: &Tensor<2>, context: &Context) -> Tensor<4> {
        let x = self.block1.forward(x, time.clone());
        let x = self.transformer.forward(x, context);
        self.block2.forward(x, time.clone())
    }
}

/// A level on the way up: each block takes a skip connection by concatenation.
#[derive(Module, Debug)]
pub(crate) struct UpLevel {
    block: Vec<ResidualBlock>,
    transformer: Option<TransformerBlock>,
    upsample: Option<Upsample>,
}

impl UpLevel {
    /// Level `level` of the plan, fed with `from` channels; `skips` are the channels of the skip connections that are left,
    /// of which it takes the last ones.
    pub(crate) fn new(
        plan: &LevelPlan<'_>,
        level: usize,
        from: usize,
        skips: &mut Vec<usize>,
    ) -> Self {
        let to = plan.config.level_channels()[level];
        let mut inflow = from;
        let mut block = Vec::new();
        for _ in 0..blocks_up(plan.config, level) {
            block.push(plan.residual(inflow + skips.pop().unwrap_or(0), to));
            inflow = to;
        }
        Self {
            block,
            transformer: plan.level_transformer(level, to),
            upsample: (level > 0).then(|| Upsample::new(to, plan.device)),
        }
    }

    /// Takes its skip connections off the end of `skips`, and returns the input of the next level.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        time: &Tensor<2>,
        context: &Context,
        skips: &mut Vec<Tensor<4>>,
    ) -> Tensor<4> {
        let mut x = x;
        for block in &self.block {
            let joined = match skips.pop() {
                Some(skip) => Tensor::cat(vec![x, skip], 1),
                None => x,
            };
            x = block.forward(joined, time.clone());
        }
        if let Some(transformer) = &self.transformer {
            x = transformer.forward(x, context);
        }
        match &self.upsample {
            Some(upsample) => upsample.forward(x),
            None => x,
        }
    }
}

/// Blocks of `level` on the way up: one for each skip connection of the level, and at full resolution one more for the
/// input convolution's.
fn blocks_up(config: &LiveStreamUNetConfig, level: usize) -> usize {
    config.blocks + usize::from(level == 0)
}
