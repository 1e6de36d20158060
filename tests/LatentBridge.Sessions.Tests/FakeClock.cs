namespace LatentBridge.Sessions.Tests;

/// <summary>A clock that stands still until a test moves it.</summary>
sealed class FakeClock : TimeProvider
{
    long _now = TimeSpan.TicksPerDay;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public void Advance(double milliseconds) => Interlocked.Add(ref _now, (long)(milliseconds * TimeSpan.TicksPerMillisecond));
}
