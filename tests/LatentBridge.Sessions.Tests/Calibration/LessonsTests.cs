using LatentBridge.Decoders;
using LatentBridge.Ipc;

namespace LatentBridge.Sessions.Tests;

public class LessonsTests
{
    [Fact]
    public void Each_lesson_is_answered_once_and_none_after_the_end()
    {
        object gate = new();
        bool isStopping = false;
        var sink = new RecordingSink();
        IReadOnlyList<DecoderEntry> Catalogue(Formats.LatentFormat format) => [new FakeDecoder().Entry];
        using var calibrator = new Calibrator(new CalibrationStore(null), Catalogue, new LoadingNotice(gate, sink, () => isStopping), () => { }, _ => { });
        var lessons = new Lessons(gate, calibrator, Catalogue, sink, () => isStopping);

        // Too short for what its header says: it cannot be learned from.
        var header = new LatentSlotHeader { AxisCount = 4 };
        (header.Axes[0], header.Axes[1], header.Axes[2], header.Axes[3]) = (1, 7, 4, 4);
        lessons.Take(new TeachRequest(0, 1, SessionBench.Format, "model", "first"), header, []);
        sink.WaitFor(events => events.Count == 1, "an answer");
        var lesson = Assert.IsType<RecordingSink.Lesson>(sink.Events.Single());
        Assert.Equal(("first", null, false), (lesson.Tag, lesson.Map, lesson.IsUsed));
        Assert.NotEmpty(lesson.Why!);

        lock (gate)
        {
            isStopping = true;
        }

        calibrator.Dispose();
        lessons.Take(new TeachRequest(0, 2, SessionBench.Format, "model", "late"), header, []);
        Assert.Single(sink.Events);
    }
}
