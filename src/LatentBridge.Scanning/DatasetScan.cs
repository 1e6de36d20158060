using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using LatentBridge.Scanning.Report;

namespace LatentBridge.Scanning;

/// <summary>Scans shards on several threads, and hands their lines on in the order of the shards, whatever the threads.</summary>
/// <remarks>
/// One thread finds shards, several check them, the caller's thread adds up. All queues are bounded, so memory does not grow with the data set: only the report's index of copies
/// does, by 40 bytes a latent.
/// </remarks>
sealed class DatasetScan(ScanSettings settings, ScanReport report)
{
    const int ShardsAhead = 256;
    const int LinesAhead = 1024;

    /// <summary>Scans all shards that the report does not have yet.</summary>
    /// <param name="paths">The shards.</param>
    /// <param name="onLine">Gets each latent, after the report has it.</param>
    /// <param name="onShard">Called after each shard, those of an earlier scan included.</param>
    /// <param name="cancellation">Stops between two latents.</param>
    /// <exception cref="OperationCanceledException">Stopped; the report has what was done.</exception>
    public void Run(IEnumerable<string> paths, Action<ReportLine> onLine, Action<string> onShard, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using BlockingCollection<ShardWork> inOrder = new(ShardsAhead), waiting = new(ShardsAhead);
        Exception? failed = null;
        Thread[] threads = [Start(Find), .. Enumerable.Range(0, settings.Threads).Select(_ => Start(Work))];
        try
        {
            foreach (ShardWork work in inOrder.GetConsumingEnumerable(stop.Token))
            {
                AddUp(work, onLine, stop.Token);
                onShard(work.Shard.Path);
            }
        }
        catch (OperationCanceledException) when (failed is not null)
        {
            ExceptionDispatchInfo.Throw(failed);
        }
        finally
        {
            stop.Cancel();
            Array.ForEach(threads, thread => thread.Join());
        }

        if (failed is not null)
        {
            ExceptionDispatchInfo.Throw(failed);
        }

        Thread Start(Action work)
        {
            Thread thread = new(() =>
            {
                try
                {
                    work();
                }
                catch (OperationCanceledException)
                {
                }
                catch (Exception failure)
                {
                    failed ??= failure;
                    stop.Cancel();
                }
            })
            { IsBackground = true, Name = "scan" };
            thread.Start();
            return thread;
        }

        void Find()
        {
            foreach (string path in paths)
            {
                ShardWork work = new(Shard.Of(path), new(LinesAhead));
                if (report.IsDone(work.Shard))
                {
                    work.IsDone = true;
                }
                else
                {
                    waiting.Add(work, stop.Token);
                }

                inOrder.Add(work, stop.Token);
            }

            waiting.CompleteAdding();
            inOrder.CompleteAdding();
        }

        void Work()
        {
            using ScanWorker worker = new(settings);
            foreach (ShardWork work in waiting.GetConsumingEnumerable(stop.Token))
            {
                foreach ((ReportLine, bool) line in worker.Scan(work.Shard.Path))
                {
                    work.Lines.Add(line, stop.Token);
                }

                work.Lines.CompleteAdding();
            }
        }
    }

    void AddUp(ShardWork work, Action<ReportLine> onLine, CancellationToken stop)
    {
        using (work.Lines)
        {
            if (work.IsDone)
            {
                return;
            }

            foreach ((ReportLine line, bool isCopyOnPurpose) in work.Lines.GetConsumingEnumerable(stop))
            {
                onLine(report.Add(line, isCopyOnPurpose));
            }

            report.Finish(work.Shard);
        }
    }

    sealed record ShardWork(Shard Shard, BlockingCollection<(ReportLine Line, bool IsCopyOnPurpose)> Lines)
    {
        public bool IsDone { get; set; }
    }
}
